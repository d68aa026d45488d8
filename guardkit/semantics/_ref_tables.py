"""The pinned vocabularies behind `refs`: data only, each with the edition it was taken from.

They are pinned because the lists move: `LLM03` is supply chain in one edition and excessive agency
in the next. A new edition is a new column here, never a change to an old one.
"""

from __future__ import annotations

OWASP: dict[str, dict[str, str]] = {
    "2025": {
        "LLM01": "Prompt Injection",
        "LLM02": "Sensitive Information Disclosure",
        "LLM03": "Supply Chain",
        "LLM04": "Data and Model Poisoning",
        "LLM05": "Improper Output Handling",
        "LLM06": "Excessive Agency",
        "LLM07": "System Prompt Leakage",
        "LLM08": "Vector and Embedding Weaknesses",
        "LLM09": "Misinformation",
        "LLM10": "Unbounded Consumption",
    },
    "2026": {
        "LLM01": "Prompt Injection",
        "LLM02": "Sensitive Information Disclosure",
        "LLM03": "Excessive Agency",
        "LLM04": "Supply Chain",
        "LLM05": "Data and Model Poisoning",
        "LLM06": "Unbounded Consumption",
        "LLM07": "Misinformation",
        "LLM08": "Hidden Context Exposure",
        "LLM09": "Vector and Embedding Weaknesses",
        "LLM10": "Improper Output Handling",
        "ASI01": "Agent Goal Hijack",
        "ASI02": "Tool Misuse and Exploitation",
        "ASI03": "Identity and Privilege Abuse",
        "ASI04": "Agentic Supply Chain Vulnerabilities",
        "ASI05": "Unexpected Code Execution",
        "ASI06": "Memory and Context Poisoning",
        "ASI07": "Insecure Inter-Agent Communication",
        "ASI08": "Cascading Failures",
        "ASI09": "Human-Agent Trust Exploitation",
        "ASI10": "Rogue Agents",
    },
}
"""OWASP Top 10 for LLM applications, and for agentic applications (ASI, first edition 2026)."""

_ATLAS = """
T0000 Search Open Technical Databases
T0000.000 Journals and Conference Proceedings
T0000.001 Pre-Print Repositories
T0000.002 Technical Blogs
T0001 Search Open AI Vulnerability Analysis
T0002 Acquire Public AI Artifacts
T0002.000 Datasets
T0002.001 Models
T0003 Search Victim-Owned Websites
T0004 Search Application Repositories
T0005 Create Proxy AI Model
T0005.000 Train Proxy via Gathered AI Artifacts
T0005.001 Train Proxy via Replication
T0005.002 Use Pre-Trained Model
T0006 Active Scanning
T0007 Discover AI Artifacts
T0008 Acquire Infrastructure
T0008.000 AI Development Workspaces
T0008.001 Consumer Hardware
T0008.002 Domains
T0008.003 Physical Countermeasures
T0008.004 Serverless
T0010 AI Supply Chain Compromise
T0010.000 Hardware
T0010.001 AI Software
T0010.002 Data
T0010.003 Model
T0010.004 Container Registry
T0011 User Execution
T0011.000 Unsafe AI Artifacts
T0011.001 Malicious Package
T0012 Valid Accounts
T0013 Discover AI Model Ontology
T0014 Discover AI Model Family
T0015 Evade AI Model
T0016 Obtain Capabilities
T0016.000 Adversarial AI Attack Implementations
T0016.001 Software Tools
T0016.002 Generative AI
T0017 Develop Capabilities
T0017.000 Adversarial AI Attacks
T0018 Manipulate AI Model
T0018.000 Poison AI Model
T0018.001 Modify AI Model Architecture
T0018.002 Embed Malware
T0019 Publish Poisoned Datasets
T0020 Poison Training Data
T0021 Establish Accounts
T0024 Exfiltration via AI Inference API
T0024.000 Infer Training Data Membership
T0024.001 Invert AI Model
T0024.002 Extract AI Model
T0025 Exfiltration via Cyber Means
T0029 Denial of AI Service
T0031 Erode AI Model Integrity
T0034 Cost Harvesting
T0035 AI Artifact Collection
T0036 Data from Information Repositories
T0037 Data from Local System
T0040 AI Model Inference API Access
T0041 Physical Environment Access
T0042 Verify Attack
T0043 Craft Adversarial Data
T0043.000 White-Box Optimization
T0043.001 Black-Box Optimization
T0043.002 Black-Box Transfer
T0043.003 Manual Modification
T0043.004 Insert Backdoor Trigger
T0044 Full AI Model Access
T0046 Spamming AI System with Chaff Data
T0047 AI-Enabled Product or Service
T0048 External Harms
T0048.000 Financial Harm
T0048.001 Reputational Harm
T0048.002 Societal Harm
T0048.003 User Harm
T0048.004 AI Intellectual Property Theft
T0049 Exploit Public-Facing Application
T0050 Command and Scripting Interpreter
T0051 LLM Prompt Injection
T0051.000 Direct
T0051.001 Indirect
T0051.002 Triggered
T0052 Phishing
T0052.000 Spearphishing via Social Engineering LLM
T0053 AI Agent Tool Invocation
T0054 LLM Jailbreak
T0055 Unsecured Credentials
T0056 Extract LLM System Prompt
T0057 LLM Data Leakage
T0058 Publish Poisoned Models
T0059 Erode Dataset Integrity
T0060 Publish Hallucinated Entities
T0061 LLM Prompt Self-Replication
T0062 Discover LLM Hallucinations
T0063 Discover AI Model Outputs
T0064 Gather RAG-Indexed Targets
T0065 LLM Prompt Crafting
T0066 Retrieval Content Crafting
T0067 LLM Trusted Output Components Manipulation
T0067.000 Citations
T0068 LLM Prompt Obfuscation
T0069 Discover LLM System Information
T0069.000 Special Character Sets
T0069.001 System Instruction Keywords
T0069.002 System Prompt
T0070 RAG Poisoning
T0071 False RAG Entry Injection
T0072 Reverse Shell
T0073 Impersonation
T0074 Masquerading
T0075 Cloud Service Discovery
T0076 Corrupt AI Model
T0077 LLM Response Rendering
T0078 Drive-by Compromise
T0079 Stage Capabilities
T0080 AI Agent Context Poisoning
T0080.000 Memory
T0080.001 Thread
T0081 Modify AI Agent Configuration
T0082 RAG Credential Harvesting
T0083 Credentials from AI Agent Configuration
T0084 Discover AI Agent Configuration
T0084.000 Embedded Knowledge
T0084.001 Tool Definitions
T0084.002 Activation Triggers
T0085 Data from AI Services
T0085.000 RAG Databases
T0085.001 AI Agent Tools
T0086 Exfiltration via AI Agent Tool Invocation
T0087 Gather Victim Identity Information
T0088 Generate Deepfakes
T0089 Process Discovery
T0090 OS Credential Dumping
T0091 Use Alternate Authentication Material
T0091.000 Application Access Token
T0092 Manipulate User LLM Chat History
T0093 Prompt Infiltration via Public-Facing Application
T0094 Delay Execution of LLM Instructions
T0095 Search Open Websites/Domains
T0096 AI Service API
T0097 Virtualization/Sandbox Evasion
T0098 AI Agent Tool Credential Harvesting
T0099 AI Agent Tool Data Poisoning
T0100 AI Agent Clickbait
T0101 Data Destruction via AI Agent Tool Invocation
"""

ATLAS: dict[str, str] = {
    f"AML.{number}": name
    for number, _, name in (line.partition(" ") for line in _ATLAS.strip().splitlines())
}
"""MITRE ATLAS techniques and sub-techniques; a sub-technique holds its own name only."""

CWE_LAST = 1450
"""Above the highest weakness of CWE 4.18 (1434), with a little room for the releases after it."""

_CWE = """
15 External Control of System or Configuration Setting
20 Improper Input Validation
22 Path Traversal
74 Injection
77 Command Injection
78 OS Command Injection
79 Cross-site Scripting
89 SQL Injection
94 Code Injection
95 Eval Injection
116 Improper Encoding or Escaping of Output
117 Improper Output Neutralization for Logs
200 Exposure of Sensitive Information to an Unauthorized Actor
201 Insertion of Sensitive Information Into Sent Data
209 Generation of Error Message Containing Sensitive Information
212 Improper Removal of Sensitive Information Before Storage or Transfer
250 Execution with Unnecessary Privileges
269 Improper Privilege Management
284 Improper Access Control
285 Improper Authorization
287 Improper Authentication
306 Missing Authentication for Critical Function
311 Missing Encryption of Sensitive Data
319 Cleartext Transmission of Sensitive Information
345 Insufficient Verification of Data Authenticity
352 Cross-Site Request Forgery
359 Exposure of Private Personal Information to an Unauthorized Actor
400 Uncontrolled Resource Consumption
434 Unrestricted Upload of File with Dangerous Type
441 Unintended Proxy or Intermediary
494 Download of Code Without Integrity Check
497 Exposure of Sensitive System Information to an Unauthorized Control Sphere
502 Deserialization of Untrusted Data
506 Embedded Malicious Code
522 Insufficiently Protected Credentials
532 Insertion of Sensitive Information into Log File
601 Open Redirect
611 Improper Restriction of XML External Entity Reference
639 Authorization Bypass Through User-Controlled Key
668 Exposure of Resource to Wrong Sphere
693 Protection Mechanism Failure
732 Incorrect Permission Assignment for Critical Resource
770 Allocation of Resources Without Limits or Throttling
778 Insufficient Logging
798 Use of Hard-coded Credentials
799 Improper Control of Interaction Frequency
829 Inclusion of Functionality from Untrusted Control Sphere
862 Missing Authorization
863 Incorrect Authorization
918 Server-Side Request Forgery
922 Insecure Storage of Sensitive Information
943 Improper Neutralization of Special Elements in Data Query Logic
1039 Inadequate Detection or Handling of Adversarial Input Perturbations
1333 Inefficient Regular Expression Complexity
1336 Template Engine Injection
1357 Reliance on Insufficiently Trustworthy Component
1426 Improper Validation of Generative AI Output
1427 Improper Neutralization of Input Used for LLM Prompting
1434 Insecure Setting of Generative AI/ML Model Inference Parameters
"""

CWE: dict[int, str] = {
    int(number): name
    for number, _, name in (line.partition(" ") for line in _CWE.strip().splitlines())
}
"""Titles, shortened to the usual name, of the weaknesses a guardrail meets."""

NIST_AI_600_1 = (
    "CBRN Information or Capabilities",
    "Confabulation",
    "Dangerous, Violent, or Hateful Content",
    "Data Privacy",
    "Environmental Impacts",
    "Harmful Bias and Homogenization",
    "Human-AI Configuration",
    "Information Integrity",
    "Information Security",
    "Intellectual Property",
    "Obscene, Degrading, and/or Abusive Content",
    "Value Chain and Component Integration",
)
"""The twelve risks of the Generative AI Profile, July 2024."""

NIST_AI_RMF: dict[str, tuple[int, ...]] = {
    "GOVERN": (7, 3, 2, 3, 2, 2),
    "MAP": (6, 3, 5, 2, 2),
    "MEASURE": (3, 13, 3, 3),
    "MANAGE": (4, 4, 2, 3),
}
"""AI RMF 1.0: how many sub-categories each category of a function has."""

AILUMINATE = (
    "Violent Crimes",
    "Non-Violent Crimes",
    "Sex-Related Crimes",
    "Child Sexual Exploitation",
    "Indiscriminate Weapons",
    "Suicide and Self-Harm",
    "Intellectual Property",
    "Privacy",
    "Defamation",
    "Hate",
    "Sexual Content",
    "Specialized Advice",
)
"""The twelve hazards of MLCommons AILuminate 1.0."""

GDPR_LAST = 99
GDPR: dict[int, str] = {
    5: "Principles relating to processing of personal data",
    6: "Lawfulness of processing",
    7: "Conditions for consent",
    8: "Conditions applicable to child's consent",
    9: "Processing of special categories of personal data",
    10: "Processing of personal data relating to criminal convictions and offences",
    12: "Transparent information, communication and modalities",
    13: "Information to be provided where data are collected from the data subject",
    14: "Information to be provided where data have not been obtained from the data subject",
    15: "Right of access by the data subject",
    16: "Right to rectification",
    17: "Right to erasure",
    18: "Right to restriction of processing",
    20: "Right to data portability",
    21: "Right to object",
    22: "Automated individual decision-making, including profiling",
    24: "Responsibility of the controller",
    25: "Data protection by design and by default",
    28: "Processor",
    30: "Records of processing activities",
    32: "Security of processing",
    33: "Notification of a personal data breach to the supervisory authority",
    34: "Communication of a personal data breach to the data subject",
    35: "Data protection impact assessment",
    44: "General principle for transfers",
}

EU_AI_ACT_LAST = 113
EU_AI_ACT_ANNEXES = (
    "I",
    "II",
    "III",
    "IV",
    "V",
    "VI",
    "VII",
    "VIII",
    "IX",
    "X",
    "XI",
    "XII",
    "XIII",
)
EU_AI_ACT: dict[int, str] = {
    4: "AI literacy",
    5: "Prohibited AI practices",
    6: "Classification rules for high-risk AI systems",
    8: "Compliance with the requirements",
    9: "Risk management system",
    10: "Data and data governance",
    11: "Technical documentation",
    12: "Record-keeping",
    13: "Transparency and provision of information to deployers",
    14: "Human oversight",
    15: "Accuracy, robustness and cybersecurity",
    16: "Obligations of providers of high-risk AI systems",
    17: "Quality management system",
    19: "Automatically generated logs",
    26: "Obligations of deployers of high-risk AI systems",
    27: "Fundamental rights impact assessment for high-risk AI systems",
    50: "Transparency obligations for providers and deployers of certain AI systems",
    53: "Obligations for providers of general-purpose AI models",
    55: "Obligations for providers of general-purpose AI models with systemic risk",
    72: "Post-market monitoring by providers",
    73: "Reporting of serious incidents",
}

ISO_42001: dict[str, str] = {
    "4": "Context of the organization",
    "5": "Leadership",
    "6": "Planning",
    "7": "Support",
    "8": "Operation",
    "9": "Performance evaluation",
    "10": "Improvement",
    "A.2": "Policies related to AI",
    "A.3": "Internal organization",
    "A.4": "Resources for AI systems",
    "A.5": "Assessing impacts of AI systems",
    "A.6": "AI system life cycle",
    "A.7": "Data for AI systems",
    "A.8": "Information for interested parties of AI systems",
    "A.9": "Use of AI systems",
    "A.10": "Third-party and customer relationships",
}
"""Clauses and groups of controls of ISO/IEC 42001:2023."""
