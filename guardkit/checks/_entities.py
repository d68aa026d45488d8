"""Answers yes where personal data stands, and labels each find with its kind.

A recogniser is a pattern, a validator (checksum, calendar, number range) and, where the shape alone
says little, words that have to stand nearby. Each find is a span whose `{label}` is the kind in
capitals: `CARD`, `UK_NINO`. Names of people, organisations and places need a model.

Why it matters
    Masking personal data is the commonest duty of a guardrail and the easiest to get half right:
    every national number has its own checksum, and without it every order number is a find.

Known misses
    Numbers in words, values split over two messages, kinds you did not list. Kinds without a
    checksum (`phone`, `postal_address`, `passport`, plates, `date_of_birth`) lean on nearby words
    and miss bare values, and so do numbers of nine to eleven digits whose checksum every tenth
    number passes. A word counts up to 48 characters before a value and 24 after it. Addresses are
    found in the order that English, German, Romance and Chinese ones have. A model for names misses
    names rare in its training data.

Example
    check personal = entities {
      kinds [card, iban, email, de_tax_id]
    }
    check names = entities {
      kinds  [person, location]
      model  "models/names"
      digest "sha256:9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08"
    }

Options
    kinds: the kinds to find, from the table below; with `model` alone, all that the model gives
    model: the path of a token-classification model directory; adds what the recognisers cannot
    find. Its labels `PER`, `LOC`, `GPE`, `ORG` … are the kinds below; any other is its own kind
    digest: the sha256 digest of the model directory; a directory needs one
    label: what `{label}` stands for in a rewrite; the kind in capitals when left out
    views: raw, cleaned, folded, all; all when left out

    At least one of `kinds` and `model` is needed.

    Anywhere: `bic` `card` `coordinates` `crypto_wallet` `date_of_birth` `email` `iban` `imei` `ip`
    `mac` `passport` `passport_mrz` `phone` `postal_address` `url` `vat` `vin`.
    Need a model: `location` `organisation` `person`.
    Europe: `at_svnr` `be_nn` `bg_egn` `ch_ahv` `cz_rodne_cislo` `de_id_card` `de_plate` `de_svnr`
    `de_tax_id` `dk_cpr` `ee_isikukood` `es_dni` `es_nie` `es_plate` `fi_hetu` `fr_nir` `fr_plate`
    `gr_amka` `hr_oib` `ie_pps` `is_kennitala` `it_codice_fiscale` `it_plate` `lt_asmens_kodas`
    `lv_personas_kods` `nl_bsn` `nl_plate` `no_fnr` `pl_nip` `pl_pesel` `pt_nif` `ro_cnp`
    `se_personnummer` `si_emso` `tr_tckn` `uk_nhs` `uk_nino` `uk_plate` `uk_sort_code`.
    Americas: `ar_cuit` `br_cnpj` `br_cpf` `ca_sin` `cl_rut` `mx_curp` `mx_rfc` `us_aba` `us_dea`
    `us_ein` `us_itin` `us_mbi` `us_npi` `us_ssn`.
    Asia, Africa, Pacific: `au_abn` `au_medicare` `au_tfn` `cn_resident_id` `hk_id` `il_id`
    `in_aadhaar` `in_pan` `jp_my_number` `kr_rrn` `my_nric` `nz_ird` `sg_nric` `th_id` `tw_id`
    `za_id`.

Cost
    Shares `scan`: the recognisers join the one pass over the text, about 13 µs for 1 KB. Where that
    pass sees a shape that may be a value, the text is read again: 0.1 ms for 1 KB and one kind,
    about 0.5 ms for all kinds and a text full of numbers. A model is a pass of its own, some
    milliseconds, and what it judges on a stream waits for the end of the text.

Data it reads
    The text and its views; its model, at bind. No network.
"""

from __future__ import annotations

from guardkit.catalog import CheckSpec, PropertySpec

from ._properties import DIGEST, LABEL, VIEWS
from ._shared_costs import ANY_OTHER, OWN_MODEL, scan_cost

NEED_A_MODEL: tuple[str, ...] = ("location", "organisation", "person")

RECOGNISED: tuple[str, ...] = (
    "ar_cuit",
    "at_svnr",
    "au_abn",
    "au_medicare",
    "au_tfn",
    "be_nn",
    "bg_egn",
    "bic",
    "br_cnpj",
    "br_cpf",
    "ca_sin",
    "card",
    "ch_ahv",
    "cl_rut",
    "cn_resident_id",
    "coordinates",
    "crypto_wallet",
    "cz_rodne_cislo",
    "date_of_birth",
    "de_id_card",
    "de_plate",
    "de_svnr",
    "de_tax_id",
    "dk_cpr",
    "ee_isikukood",
    "email",
    "es_dni",
    "es_nie",
    "es_plate",
    "fi_hetu",
    "fr_nir",
    "fr_plate",
    "gr_amka",
    "hk_id",
    "hr_oib",
    "iban",
    "ie_pps",
    "il_id",
    "imei",
    "in_aadhaar",
    "in_pan",
    "ip",
    "is_kennitala",
    "it_codice_fiscale",
    "it_plate",
    "jp_my_number",
    "kr_rrn",
    "lt_asmens_kodas",
    "lv_personas_kods",
    "mac",
    "mx_curp",
    "mx_rfc",
    "my_nric",
    "nl_bsn",
    "nl_plate",
    "no_fnr",
    "nz_ird",
    "passport",
    "passport_mrz",
    "phone",
    "pl_nip",
    "pl_pesel",
    "postal_address",
    "pt_nif",
    "ro_cnp",
    "se_personnummer",
    "sg_nric",
    "si_emso",
    "th_id",
    "tr_tckn",
    "tw_id",
    "uk_nhs",
    "uk_nino",
    "uk_plate",
    "uk_sort_code",
    "url",
    "us_aba",
    "us_dea",
    "us_ein",
    "us_itin",
    "us_mbi",
    "us_npi",
    "us_ssn",
    "vat",
    "vin",
    "za_id",
)

ENTITIES: tuple[str, ...] = tuple(sorted(RECOGNISED + NEED_A_MODEL))

SPEC = CheckSpec(
    kind="entities",
    summary="Answers yes where personal data stands, and labels each find with its kind",
    answers="answer",
    cost=scan_cost(5.0),
    properties=(
        PropertySpec("kinds", "words", "the kinds to find", choices=ENTITIES),
        PropertySpec("model", "model", "a token-classification model directory"),
        DIGEST,
        LABEL,
        VIEWS,
    ),
    spans=True,
    widths=(("email", 320), ("postal_address", 272), ("url", 2_100)),
    reach_with=(("model", "window"),),
    one_of=("kinds", "model"),
    yes_rate=0.05,
    costs=(("model", ANY_OTHER, OWN_MODEL),),
)
