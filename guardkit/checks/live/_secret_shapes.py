"""The shapes of keys and tokens, one row each, by family.

A row is written from the vendor's public description of its keys. A shape that changes is a new row
beside the old one: old keys stay in service for years.
"""

from __future__ import annotations

from ._secret_shape import EDGE, UUID, Shape, Told, b, crc32_base62, h, is_jwt, u, w
from ._validators import base58check, bech32


def _url(kind: str, schemes: str) -> Shape:
    """The address of a server with a password in it. User and host are kept back with it."""
    return Shape(
        kind,
        f"(?i:{schemes})://",
        r"[^\s\"'<>`@/:]{0,128}:[^\s\"'<>`@]{1,256}@[^\s\"'<>`]{1,256}",
        needle=rf"(?i:{schemes})://[^\s/:@]*:[^\s/@]",
        part=r"(?s)//[^:]*:(.+)@[^@]*$",
        covers_part=False,
    )


def _webhook(kind: str, host: str, path: str) -> Shape:
    """An address that works for whoever knows it."""
    return Shape(kind, rf"https://(?:[0-9a-z-]{{2,60}}\.)?{host}", path, needle=host)


CLOUD = (
    Shape("alibaba_access_key", "LTAI", w(12, 20)),
    Shape("aws_access_key", "(?:AKIA|ASIA|ABIA|ACCA)", "[A-Z2-7]{16}"),
    Shape("aws_appsync_key", "da2-", "[a-z0-9]{26}"),
    Shape("aws_bedrock_key", "ABSK", b(109, 269) + "={0,2}"),
    Shape("aws_mws_token", r"amzn\.mws\.", UUID),
    Shape(
        "azure_ad_secret", "[0-9A-Za-z_~.]{3}[0-9]Q~", "[0-9A-Za-z_~.-]{31,34}", needle="[0-9]Q~"
    ),
    Shape("azure_container_key", "", rf"{b(42, 44)}\+ACR{w(6)}", needle=r"\+ACR"),
    Shape("azure_devops_token", "", f"{w(76)}AZDO{w(4)}", needle="AZDO"),
    Shape("azure_openai_key", "", f"{w(52)}JQQJ{w(28)}", needle="JQQJ"),
    Shape(
        "azure_sas",
        "[?&](?:sv|se|sp|sr|st|ss|srt)=",
        r"[^\s\"'<>`]+[?&]sig=[0-9A-Za-z%+/]{40,90}=?",
        part=r"[?&]sig=([^&]+)$",
    ),
    Shape(
        "azure_shared_key",
        "(?:AccountKey|SharedAccessKey|SharedSecret)=",
        b(42, 86) + "={1,2}",
        part="=(.+)",
    ),
    Shape("digitalocean_token", "do[opr]_v1_", h(64)),
    Shape("firebase_server_key", "AAAA", f"{u(7)}:APA91{u(100, 160)}", needle=":APA91"),
    Shape("fly_token", "fm[12][ar]?_", "[0-9A-Za-z+/=_,-]{60,}"),
    Shape("gcp_api_key", "AIza", u(35)),
    Shape(
        "gcp_service_account",
        r'"private_key_id"\s{0,4}:\s{0,4}"',
        h(40),
        part='"([0-9a-f]+)$',
        needle='"private_key_id"',
    ),
    Shape("google_oauth_secret", "GOCSPX-", u(28)),
    Shape("google_oauth_token", r"ya29\.", u(30, None)),
    Shape("google_refresh_token", "1//0", u(40, 160)),
    Shape("heroku_key", "HRKU-", f"(?:AA{u(56, 60)}|{UUID})"),
    Shape("ibm_cloud_key", "ApiKey-", UUID),
    Shape("scaleway_key", "SCW", "[A-Z0-9]{17}", needle="SCW[A-Z0-9]"),
    Shape("tencent_secret_id", "AKID", w(32)),
    Shape("yandex_key", "(?:AQVN|YCAJE)", u(20, 60)),
    Shape("yandex_token", r"t1\.9eu", rf"{u(40, None)}\.{u(80, 100)}"),
)

CODE = (
    Shape("artifactory_key", "AKCp[0-9]", w(60, 80)),
    Shape("artifactory_token", "cmVmdGtuO", w(55)),
    Shape("atlassian_token", "AT(?:ATT3|CTT3|STT3)xFf", u(120, None) + "(?:=[0-9A-F]{8})?"),
    Shape("bitbucket_token", "ATBB", w(28, 40)),
    Shape("buildkite_token", "bk[uac]a_", h(40)),
    Shape("circleci_token", "CCI(?:PAT|PRJ)_", f"{w(22)}_{h(40)}"),
    Shape("clojars_token", "CLOJARS_", "[0-9a-z]{60}"),
    Shape("codacy_token", "codacy_pat_", w(20, 60)),
    Shape("confluent_key", "cflt", b(60)),
    Shape("contentful_token", "CFPAT-", u(43)),
    Shape("crates_token", "cio", w(32), needle=EDGE + r"cio"),
    Shape("databricks_token", "dapi", f"{h(32)}(?:-[0-9])?"),
    Shape("deno_token", "dd[pw]_", w(36)),
    Shape("docker_token", "dckr_[op]at_", u(27, 40)),
    Shape(
        "doppler_token",
        r"dp\.(?:ct|pt|st|sa|scim|audit)\.",
        rf"(?:[a-z0-9_-]{{2,35}}\.)?{w(40, 44)}",
    ),
    Shape("figma_token", "fig[douh]r?_", u(40, 80)),
    Shape("frameio_token", "fio-u-", "[0-9A-Za-z_=-]{64}"),
    Shape("github_fine_token", "github_pat_", f"{w(22)}_{w(59)}"),
    Shape("github_token", "gh[opsru]_", w(36), crc32_base62),
    Shape("gitlab_runner_token", "GR1348941", u(20)),
    Shape(
        "gitlab_token",
        "gl(?:pat|oas|dt|rt|cbt|ptt|ft|imt|agent|soat|ffct)-",
        r"[0-9A-Za-z_.-]{20,}",
    ),
    Shape("infisical_token", r"st\.", rf"{h(24)}\.{h(32)}\.{h(32)}", needle=EDGE + r"st\.[0-9a-f]"),
    Shape("neon_key", "napi_", "[0-9a-z]{60,70}"),
    Shape("netlify_token", "nf[bcpu]_", w(36)),
    Shape("npm_token", "npm_", w(36)),
    Shape("nuget_key", "oy2", "[a-z0-9]{43}", needle="oy2[a-z0-9]"),
    Shape(
        "onepassword_key",
        "A3-",
        "[A-Z0-9]{6}-(?:[A-Z0-9]{11}|[A-Z0-9]{6}-[A-Z0-9]{5})(?:-[A-Z0-9]{5}){3}",
    ),
    Shape("onepassword_token", "ops_eyJ", "[0-9A-Za-z+/_-]{150,}={0,2}"),
    Shape("packagist_token", "packagist_[ou][ru]t_", h(68)),
    Shape("planetscale_token", "pscale_(?:tkn|pw|oauth)_", "[0-9A-Za-z_.=-]{32,64}"),
    Shape("postman_key", "PMAK-", f"{h(24)}-{h(34)}"),
    Shape("prefect_key", "pn[ub]_", w(36)),
    Shape("pulumi_token", "pul-", h(40)),
    Shape("pypi_token", "pypi-AgE", f"[ID]{u(50, None)}"),
    Shape("readme_key", "rdme_", "[a-z0-9]{70}"),
    Shape("render_key", "rnd_", w(32)),
    Shape("rubygems_key", "rubygems_", h(48)),
    Shape("scalingo_token", "tk-us-", u(48)),
    Shape("snyk_token", r"snyk_(?:uat|sat)\.", rf"{h(8)}\.[0-9A-Za-z_.-]{{60,}}"),
    Shape("sonar_token", "sq[apu]_", h(40)),
    Shape("sourcegraph_token", "sgp_", f"(?:{h(16)}_|local_)?{h(40)}"),
    Shape("supabase_key", "(?:sbp_(?:oauth_)?|sb_secret_)", u(31, 48)),
    Shape("tailscale_key", "tskey-", rf"(?:[a-z]{{3,8}}-)?{w(6, 24)}(?:-{w(16, 40)})"),
    Shape(
        "terraform_token", "", rf"{w(14)}\.atlasv1\.[0-9A-Za-z_=-]{{60,70}}", needle=r"\.atlasv1\."
    ),
    Shape("vault_token", r"hv[bsr]\.", u(24, None)),
    Shape("vercel_token", "(?:vc[aipkr]_|vercel_blob_rw_)", "[0-9A-Za-z_]{24,80}"),
    Shape(
        "wordpress_secret",
        r"define\(\s?['\"](?:AUTH|SECURE_AUTH|LOGGED_IN|NONCE)_(?:KEY|SALT)['\"],\s{0,9}['\"]",
        r"[!#-&(-~ ]{60,70}['\"]",
        needle=r"(?:AUTH|LOGGED_IN|NONCE)_(?:KEY|SALT)['\"],",
        part=r",\s*['\"](.+)['\"]$",
    ),
)

MODELS = (
    Shape("anthropic_key", "sk-ant-", f"(?:api|admin|oat|sid)[0-9]{{2}}-{u(80, 120)}"),
    Shape("apify_token", "apify_api_", w(36)),
    Shape("cerebras_key", "csk-", "[0-9a-z]{48}", needle=EDGE + r"csk-"),
    Shape("elevenlabs_key", "sk_", h(48), needle="sk_[0-9a-f]"),
    Shape("fireworks_key", "fw_", w(24), needle=EDGE + r"fw_"),
    Shape("groq_key", "gsk_", w(52)),
    Shape(
        "huggingface_token",
        "(?:hf|api_org)_",
        "[A-Za-z]{34}",
        needle=EDGE + r"(?:hf|api_org)_[A-Za-z]",
    ),
    Shape("jina_key", "jina_", w(60)),
    Shape("langfuse_key", "sk-lf-", UUID),
    Shape("langsmith_key", "lsv2_(?:pt|sk)_", f"{h(32)}_{h(10)}"),
    Shape("nvidia_key", "nvapi-", u(60, 70)),
    Shape(
        "openai_key",
        "sk-",
        f"(?:(?:proj|svcacct|admin|service|None)-{u(20, None)}"
        f"|{u(20, 74)}T3BlbkFJ{u(20, 74)}|{w(20, 64)})",
        needle=EDGE + r"sk-",
    ),
    Shape("openrouter_key", "sk-or-v1-", h(64)),
    Shape("perplexity_key", "pplx-", w(48)),
    Shape("pinecone_key", "pcsk_", f"{w(5, 6)}_{w(60, 64)}"),
    Shape("replicate_token", "r8_", w(37), needle=EDGE + r"r8_"),
    Shape("tavily_key", "tvly-", f"(?:dev-|prod-)?{w(24, 40)}"),
    Shape("voyage_key", "pa-", u(43), needle=EDGE + r"pa-"),
    Shape("xai_key", "xai-", w(70, 90)),
)

CHAT = (
    Shape("brevo_key", "xkeysib-", f"{h(64)}-{w(16)}"),
    Shape(
        "discord_token",
        "[MNO][DTjz][AEIMQUYcgk][w-z0-5][MNO][DTjz]",  # the digits of an account, in base 64
        rf"{u(17, 22)}\.{u(6)}\.{u(27, 38)}",
    ),
    _webhook(
        "discord_webhook",
        r"discord(?:app)?\.com/api/",
        rf"(?:v[0-9]{{1,2}}/)?webhooks/[0-9]{{17,20}}/{u(60, 72)}",
    ),
    _webhook("google_chat_webhook", r"chat\.googleapis\.com/v1/spaces/", r"[^\s\"'<>`]{40,}"),
    Shape("intercom_token", "dG9rO", b(40, 70) + "={0,2}"),
    Shape("mailchimp_key", "", f"{h(32)}-us[0-9]{{1,2}}", needle="-us[0-9]"),
    Shape("mailgun_key", "(?:key|pubkey)-", "[0-9a-z]{32}"),
    Shape("mandrill_key", "md-", u(22), needle=EDGE + r"md-"),
    Shape("resend_key", "re_", f"{w(8)}_{w(24)}", needle=EDGE + r"re_"),
    Shape("sendgrid_key", r"SG\.", rf"{u(16, 32)}\.{u(32, 64)}"),
    Shape("slack_app_token", "xapp-", f"[0-9]-[A-Z0-9]{{8,14}}-[0-9]{{10,14}}-{h(60, 70)}"),
    Shape("slack_token", r"(?:xoxe\.)?xox[abeoprs]-", "[0-9A-Za-z-]{16,}", needle="xox[abeoprs]-"),
    _webhook(
        "slack_webhook",
        r"hooks\.slack\.com/",
        "(?:services|workflows|triggers)/[0-9A-Za-z+/]{40,60}",
    ),
    _webhook("teams_webhook", r"webhook\.office\.com/", r"[^\s\"'<>`]{60,}"),
    Shape("telegram_token", "", f"[0-9]{{8,10}}:AA{u(33)}", needle=":AA"),
    Shape("twilio_key", "SK", h(32), needle="SK[0-9a-f][0-9a-f]"),
    _webhook("zapier_webhook", r"hooks\.zapier\.com/hooks/catch/", "[0-9]{4,10}/[0-9a-z]{5,12}"),
    Shape("zoho_token", r"1000\.", rf"{h(32)}\.{h(32)}"),
)

MONEY = (
    Shape("adyen_key", "AQE[a-z]hmfuXNWTK0Qc", "[0-9A-Za-z+/=_.{}()<>^-]{40,}"),
    _webhook("alchemy_url", r"g\.alchemy\.com/v2/", u(32)),
    Shape(
        "bitcoin_private_key",
        "[5KL]",
        "[1-9A-HJ-NP-Za-km-z]{50,51}",
        base58check,
        needle=EDGE + r"[5KL][0-9A-Za-z]*[A-Za-z][0-9][A-Za-z]",
    ),
    Shape("bitcoin_private_key", "[xyzt]prv", "[1-9A-HJ-NP-Za-km-z]{107}", base58check),
    Shape(
        "braintree_token", r"access_token\$(?:production|sandbox)\$", rf"[0-9a-z]{{16}}\${h(32)}"
    ),
    Shape("chargebee_key", "(?:live|test)_cd", w(28, 48)),
    Shape("coinbase_key", "organizations/", f"{UUID}/apiKeys/{UUID}"),
    Shape("duffel_token", "duffel_(?:live|test)_", u(43)),
    Shape("easypost_key", "EZ[AT]K", w(54)),
    Shape("flutterwave_key", "FLW(?:SECK|PUBK)(?:_TEST)?-", f"{w(32)}-X"),
    Shape("gocardless_token", "live_", u(40), needle=EDGE + r"live_"),
    _webhook("infura_url", r"infura\.io/v3/", h(32)),
    Shape(
        "lob_key",
        "(?:live|test)_(?:pub_)?",
        h(31, 35),
        needle=EDGE + r"(?:live|test)_(?:pub_)?[0-9a-f]+[0-9]",
    ),
    Shape("paddle_key", "pdl_(?:live|sdbx)_apikey_", f"[0-9a-z]{{26}}_{w(22)}_{w(3)}"),
    Shape("plaid_token", "access-(?:sandbox|development|production)-", UUID),
    Shape("razorpay_key", "rzp_(?:live|test)_", w(14, 24)),
    Shape("shippo_token", "shippo_(?:live|test)_", h(40)),
    Shape("shopify_token", "shp(?:at|ca|pa|ss|ua)_", "[0-9A-Fa-f]{32}"),
    Shape("square_token", "sq0[a-z]{3}-", u(22, 43), needle="sq0"),
    Shape("square_token", "EAAA[lE]", u(59, 64)),
    Shape("stripe_key", "[sr]k_(?:live|test|prod)_", w(16, 247)),
    Shape("stripe_publishable_key", "pk_(?:live|test)_", w(16, 247)),
    Shape("stripe_webhook_secret", "whsec_", b(32, 64) + "=?"),
    Shape("woocommerce_key", "c[ks]_", h(40), needle=EDGE + r"c[ks]_[0-9a-f]"),
)

WATCHING = (
    Shape("axiom_token", "xa[ap]t-", UUID),
    Shape("datadog_app_key", "ddapp_", w(34)),
    Shape("dynatrace_token", r"dt0[a-z][0-9]{2}\.", r"[A-Z0-9]{24}\.[A-Z0-9]{64}"),
    Shape("elastic_key", "essu_", "[0-9A-Za-z+/_-]{40,120}={0,2}"),
    Shape("grafana_token", "glsa_", f"{w(32)}_{h(8)}"),
    Shape("grafana_token", "glc_", b(32, None) + "={0,2}"),
    Shape("grafana_token", "eyJrIjoi", b(70, None) + "={0,2}"),
    Shape("honeycomb_key", "hc[abxr][lic][kc]_", "[0-9a-z]{50,70}"),
    Shape("launchdarkly_key", "(?:sdk|mob|api)-", UUID),
    Shape("logfire_token", "pylf_v[0-9]_[a-z]{2}_", w(40, 60), needle="pylf_v"),
    Shape("mapbox_token", r"sk\.eyJ", rf"{u(20, None)}\.{u(20, 30)}"),
    Shape("newrelic_browser_key", "NRJS-", h(19)),
    Shape("newrelic_key", "NR(?:AK|AL|BR|II|IQ|RA|SP)-", u(25, 42)),
    Shape("posthog_key", "ph[csx]_", w(40, 48)),
    Shape("sentry_token", "sntry[su]_", "[0-9A-Za-z+/_-]{60,}={0,2}"),
)

OFFICE = (
    Shape("adobe_secret", "p8e-", w(32)),
    Shape("airtable_token", "pat", rf"{w(14)}\.{h(64)}", needle=EDGE + rf"pat[0-9A-Za-z]+\.{h(6)}"),
    Shape(
        "asana_token",
        "[012]/[0-9]{10,18}",
        rf"(?:/[0-9]{{10,18}})?:{h(32)}",
        needle=f"[0-9]:{h(6)}",
    ),
    Shape("canva_secret", "cnvca", u(48, 60)),
    Shape("clickup_token", "pk_[0-9]{5,10}_", "[0-9A-Z]{32}", needle="pk_[0-9]"),
    Shape("dropbox_token", r"sl\.", rf"(?:u\.)?{u(130, None)}", needle=EDGE + r"sl\."),
    Shape("facebook_token", "EAA[A-Z]", w(60, None)),
    Shape("hubspot_token", "pat-(?:na|eu|ap)[0-9]{1,2}-", UUID, needle="pat-(?:na|eu|ap)[0-9]"),
    Shape("instagram_token", "IG(?:QV|QW|AA)", u(100, None)),
    Shape("ionic_token", "ion_", "[0-9a-z]{42}", needle=EDGE + r"ion_"),
    Shape("linear_key", "lin_(?:api|oauth)_", w(40, 64)),
    Shape("linkedin_secret", r"WPL_AP[01]\.", rf"{w(16)}\.[0-9A-Za-z+/]{{6,10}}={{0,2}}"),
    Shape("notion_token", "ntn_", w(43, 50)),
    Shape("notion_token", "secret_", w(43), needle=EDGE + r"secret_"),
    Shape("okta_token", "SSWS ", f"00{u(40)}", part=" (.+)"),
    Shape(
        "salesforce_token",
        "00D",
        rf"{w(12, 15)}![0-9A-Za-z_.]{{80,120}}",
        needle=EDGE + r"00D[0-9A-Za-z]",
    ),
    Shape("trello_token", "ATTA", h(60, 76)),
    Shape("twitter_bearer", "A{19}", "[0-9A-Za-z%]{60,140}", needle="A{12}"),
    Shape("typeform_token", "tfp_", "[0-9A-Za-z_.=-]{40,70}"),
)

KEYS = (
    Shape("age_key", "AGE-SECRET-KEY-1", "[02-9AC-HJ-NP-Z]{58}", bech32),
    _url("amqp_url", "amqps?"),
    Shape(
        "basic_auth_url",
        r"(?i:https?|s?ftps?|ssh|git|wss?|socks[45]h?|svn|dav)://",
        r"[^\s\"'<>`@/:]{1,128}:[^\s\"'<>`@/]{3,256}@",
        needle=r"(?i:https?|ftps?|ssh|git|wss?|socks[45]h?|svn|dav)://[^\s/:@]+:[^\s/@]+@",
        part=r"//[^:]+:(.+)@$",
    ),
    Shape(
        "connection_string",
        r"(?i:Server|Data Source|Host|Address|Addr)\s?=",
        r"[^\r\n\"'`<>]{1,256}?;\s?(?i:Password|Pwd)\s?=\s?[^\s;\"'`<>]{1,128}",
        needle=r"(?i);\s?(?:Password|Pwd)\s?=\s?[^;\s]",
        part=r"(?is).*;\s?(?:password|pwd)\s?=\s*(.+)$",
    ),
    _url(
        "database_url",
        "(?:clickhouse|mssql|sqlserver|oracle|snowflake|couchbases?|couchdb|neo4j|bolt|kafka|nats"
        "|mqtts?|ldaps?|smtps?|imaps?|cassandra|elasticsearch|presto|trino|hive|influxdb|db2)"
        r"(?:\+\w{1,20})?",
    ),
    Shape(
        "jwk_private_key", r'"d"\s{0,4}:\s{0,4}"', u(43, 700), part='"([^"]+)$', needle=r'"d"\s*:'
    ),
    # Without its signature a token still tells whom it is for, so two parts are enough.
    Shape("jwt", "ey[JI]", rf"{u(8, None)}\.ey[JI]{u(8, None)}(?:\.[0-9A-Za-z_-]*)?", is_jwt),
    _url("mongodb_url", r"mongodb(?:\+srv)?"),
    _url("mysql_url", r"(?:mysqlx?|mariadb)(?:\+\w{1,20})?"),
    _url("postgres_url", r"(?:postgres(?:ql)?|cockroachdb|redshift)(?:\+\w{1,20})?"),
    _url("redis_url", "(?:rediss?|valkeys?)"),
)

SHAPES: tuple[Shape, ...] = (*CLOUD, *CODE, *MODELS, *CHAT, *MONEY, *WATCHING, *OFFICE, *KEYS)

TOLD: tuple[Told, ...] = (
    Told("abuseipdb_key", "abuseipdb", h(80)),
    Told("aiven_token", "aiven", b(372)),
    Told("algolia_key", "algolia", h(32)),
    Told("assemblyai_key", "assembly_?ai|aai_api", h(32)),
    Told("auth0_secret", "auth0", u(64)),
    Told("aws_secret_key", "aws.{0,12}secret|secret_?access_?key|aws_secret|aws.{0,6}key", b(40)),
    Told(
        "aws_session_token",
        "aws.{0,8}session_?token|session_?token|x-amz-security-token",
        b(100, None) + "={0,2}",
    ),
    Told("azure_key", "ocp-apim-subscription-key|cognitive.{0,10}key|azure.{0,12}key", h(32)),
    Told("bitly_token", "bitly", h(40)),
    Told("box_secret", r"\bbox[_ .-]?(?:client|api|secret|dev|app)", w(32)),
    Told("binance_key", "binance", w(64)),
    Told("bugsnag_key", "bugsnag", h(32)),
    Told("cloudflare_key", "cloudflare|cf_api|x-auth-key|cf_.{0,6}token", f"(?:{u(40)}|{h(37)})"),
    Told("cloudinary_secret", "cloudinary", u(27)),
    Told("codecov_token", "codecov", f"(?:{UUID}|{h(32)})"),
    Told("cohere_key", r"cohere|co_api", w(40)),
    Told("coinbase_secret", "coinbase", b(64, 88) + "={0,2}"),
    Told("datadog_key", "datadog|dd_(?:api|app)|ddog", f"{h(32)}(?:{h(8)})?"),
    Told("deepgram_key", "deepgram|dg_api", h(40)),
    Told("deepl_key", r"deepl\b|deepl_", f"{UUID}(?::fx)?"),
    Told("discord_secret", "discord", u(32)),
    Told("etherscan_key", "etherscan|bscscan|polygonscan", "[0-9A-Z]{34}"),
    Told(
        "ethereum_private_key",
        "private.?key|priv_?key|wallet.?key|mnemonic|deployer",
        "(?:0x)?[0-9a-fA-F]{64}",
    ),
    Told("facebook_secret", "facebook|fb_app|meta_app|whatsapp", h(32)),
    Told("fastly_token", "fastly", u(32)),
    Told("finnhub_key", "finnhub", "[0-9a-z]{20}"),
    Told("gitter_token", "gitter", h(40)),
    Told("google_maps_secret", "maps.{0,10}signing|url_signing", f"{u(27)}="),
    Told("heroku_legacy_key", "heroku", UUID),
    Told("infura_secret", "infura", h(32)),
    Told("instagram_secret", "instagram", h(32)),
    Told("kraken_key", "kraken", b(80, 90) + "={0,2}"),
    Told("kucoin_secret", "kucoin", UUID),
    Told("linkedin_legacy_secret", "linkedin", w(16)),
    Told("mistral_key", "mistral", w(32)),
    Told("mongodb_atlas_key", "atlas.{0,12}(?:private|api)", UUID),
    Told("okta_legacy_token", "okta", f"00{u(40)}"),
    Told("opsgenie_key", "opsgenie", UUID),
    Told("openweather_key", "openweather(?:map)?|owm_", h(32)),
    Told("oauth_client_secret", "client_?secret", f"(?:{w(32, 64)}|{UUID})"),
    Told("pagerduty_legacy_key", "pagerduty|pager_duty|pd_token", f"(?:{h(32)}|{u(20)})"),
    Told("paypal_secret", "paypal", f"E{u(79)}"),
    Told("plaid_secret", "plaid", h(30)),
    Told("postmark_token", "postmark|x-postmark-server-token", UUID),
    Told("pusher_secret", "pusher", h(20)),
    Told("rapidapi_key", "rapidapi", w(50)),
    Told("reddit_secret", "reddit", u(27, 30)),
    Told("rollbar_token", "rollbar", h(32)),
    Told("segment_key", "segment.{0,3}(?:write|api)|segment_", w(32)),
    Told("sentry_legacy_token", "sentry", h(64)),
    Told("shodan_key", "shodan", w(32)),
    Told("snyk_legacy_token", "snyk", UUID),
    Told("spotify_secret", "spotify", h(32)),
    Told("square_secret", "squareup", u(43)),
    Told("sumologic_key", r"sumo_?logic|sumo_", w(64)),
    Told("together_key", "together_?(?:ai|api)", h(64)),
    Told("travis_token", "travis", u(22)),
    Told("twilio_auth_token", "twilio|account_sid", h(32)),
    Told("twitch_secret", "twitch", "[0-9a-z]{30}"),
    Told("twitter_secret", "twitter|consumer_(?:key|secret)|x_api", f"(?:{w(50)}|{w(25)})"),
    Told("vercel_legacy_token", "vercel", w(24)),
    Told("virustotal_key", "virustotal|vt_api", h(64)),
    Told("wandb_key", "wandb|weights.{1,5}biases", h(40)),
    Told("wireguard_key", "PrivateKey|PresharedKey|wg_private", f"{b(43)}="),
    Told("yahoo_secret", "yahoo.{0,10}secret", h(40)),
    Told("zendesk_token", "zendesk", w(40)),
    Told("zoom_secret", r"zoom_|zoom[ .-]?(?:client|api|jwt|secret)", w(32)),
)

FREE_KINDS: tuple[str, ...] = ("api_key", "bearer_token", "password", "private_key")
"""Kinds without a row: what their names, a header or a fence of dashes say."""
