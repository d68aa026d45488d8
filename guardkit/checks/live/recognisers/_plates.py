"""Number plates. Their layouts are short and common, so a word has to stand nearby."""

from __future__ import annotations

import re

from ._recogniser import Layouts, Pattern, Read, Recogniser, Valid, listed, needle_of_words

_WORDS = listed(
    "plate*, licence plate*, license plate*, number plate*, registration*, reg, vrm, car, vehicle*"
)
_DE = (*_WORDS, "kennzeichen*", "nummernschild*", "auto", "fahrzeug*", "pkw", "wagen")
_ES = (*_WORDS, "matrícula*", "matricula*", "placa*", "coche*", "vehículo*")
_FR = (*_WORDS, "immatricul*", "plaque*", "voiture*", "véhicule*")
_IT = (*_WORDS, "targa*", "targato", "targata", "auto", "macchina", "veicolo*")
_NL = (*_WORDS, "kenteken*", "voertuig*", "auto")
_ANY = needle_of_words({*_DE, *_ES, *_FR, *_IT, *_NL})

# The districts of Germany, by first letter: after it come the other letters of each code.
_DISTRICTS = frozenset(
    listed(
        "A AA AB ABG ABI AC AE AH AIB AIC AK ALF ALZ AM AN ANA ANG ANK AP APD AR ARN ART AS "
        "ASL ASZ AT AU AUR AW AZ AZE B BA BAD BAR BB BBG BBL BC BCH BD BED BER BF BGD BGL BH "
        "BI BID BIN BIR BIT BIW BK BKS BL BLB BLK BM BN BNA BO BOG BOH BOR BOT BP BRA BRB BRG "
        "BRK BRL BRV BS BSB BSK BT BTF BUL BUD BZ BZA C CA CAS CB CE CHA CLP CLZ CO COC COE CR "
        "CUX CW D DA DAH DAN DAU DBR DD DE DEG DEL DGF DH DI DIL DIN DIZ DKB DL DLG DM DN DO "
        "DON DU DUD DW DZ E EA EB EBE EBN EBS ECK ED EE EF EG EH EI EIC EIL EIN EIS EL EM EMD "
        "EMS EN ER ERB ERH ERK ERZ ES ESB ESW EU EW F FB FD FDB FDS FEU FF FFB FG FI FKB FL "
        "FLÖ FN FO FOR FR FRG FRI FRW FS FT FTL FZ FÜ FÜS G GA GAN GAP GC GD GDB GE GEL GEM "
        "GEO GER GF GG GHA GHC GI GK GL GLA GM GMN GN GNT GÖ GOA GOH GP GR GRA GRH GRI GRM GRZ "
        "GS GT GTH GUB GUN GV GVM GW GZ GÜ H HA HAB HAL HAM HAS HB HBN HBS HC HCH HD HDH HDL "
        "HE HEB HEF HEI HER HET HF HG HGN HGW HH HHM HI HIG HIP HK HL HM HMÜ HN HO HOG HOH HOL "
        "HOM HOR HOT HP HR HRO HS HSK HST HU HUN HV HVL HWI HX HY HZ HÖS IGB IK IL ILL IN IS "
        "IZ J JE JL JÜL K KA KB KC KE KEH KEL KEM KF KG KH KI KIB KK KL KLE KLZ KM KN KO KR "
        "KRU KS KT KU KUS KW KY KYF KÖN KÖT KÖZ L LA LAN LAU LB LBS LBZ LC LD LDK LDS LEO LER "
        "LEV LF LG LH LI LIB LIF LIP LL LM LN LOS LP LR LRO LSA LSN LSZ LU LUK LUN LWL LÜN M "
        "MA MAB MAI MAK MAL MB MC MD ME MEG MEI MEK MEL MER MET MG MGH MGN MH MHL MI MIL MK "
        "MKK ML MM MN MO MOD MOL MON MOS MQ MR MS MSE MSH MSP MST MT MTK MTL MW MY MYK MZ MZG "
        "MÜ MÜB MÜL MÜN N NAB NAI NAU NB ND NDH NE NEA NEB NEC NEN NES NEU NEW NF NH NI NK NL "
        "NM NMB NMS NOH NOL NOM NOR NP NR NRW NT NU NVP NW NWM NY NZ NÖ OA OAL OB OBB OBG OC "
        "OCH OD OE OF OG OH OHA OHV OHZ OK OL OP OPR OR OS OSL OVI OVL OVP OZ P PA PAF PAN PAR "
        "PB PCH PE PEG PF PI PIR PL PLÖ PM PN PR PRÜ PS PW PZ QFT QLB R RA RC RD RDG RE REG "
        "REH REI RG RH RI RID RIE RL RM RO ROD ROF ROH ROK ROL ROS ROT ROW RP RPL RS RSL RT RU "
        "RV RW RY RZ RÜD RÜG S SAB SAD SAL SAN SAW SB SBG SBK SC SCZ SDH SDL SDT SE SEB SEE "
        "SEF SEL SFA SFB SFT SG SGH SH SHA SHG SHK SHL SI SIG SIM SK SL SLE SLF SLG SLK SLN "
        "SLS SLZ SLÜ SM SMÜ SN SNH SO SOB SOG SOK SON SP SPB SPN SR SRB SRO ST STA STB STD STE "
        "STH STL STO SU SUL SW SY SZ SZB SÄK SÖM SÜW TBB TDO TE TET TF TG THL THW TIR TO TP TR "
        "TS TT TUT TÖL TÜ UE UEM UER UFF UH UL UM UN USI V VAI VB VEC VER VG VIB VIE VIT VK VL "
        "VOH VS W WA WAF WAK WAN WAR WAT WB WBS WD WDA WE WEB WEG WEL WEM WEN WER WES WF WG "
        "WHV WI WIL WIS WIT WIV WIZ WK WL WLG WM WMS WN WND WO WOB WOH WOL WOR WOS WR WRN WS "
        "WSF WST WSW WT WTL WTM WUG WUN WUR WW WZ WZL WÜ WÜM X Y Z ZE ZEL ZI ZIG ZP ZR ZS ZW "
        "ZZ",
        by=" ",
    )
)
_GERMAN = re.compile(
    r"(?<![\w-])(?P<d>[A-ZÄÖÜ]{1,3})(?P<s>[- ])[A-Z]{1,2} ?[0-9]{1,4}[EH]?(?!\w)(?!-[0-9])"
)


def _read_german(match: re.Match[str]) -> Read | None:
    """A district, letters, up to four digits; eight characters at most."""
    is_short = sum(char.isalnum() for char in match[0]) <= 9
    return Read(*match.span(), False) if match["d"] in _DISTRICTS and is_short else None


def without(chars: str) -> Valid:
    """A plate in which none of these letters stands."""
    return lambda plate: not set(plate).intersection(chars)


_DUTCH = listed(
    "AA-99-99, 99-99-AA, 99-AA-99, AA-99-AA, AA-AA-99, 99-AA-AA, 99-AAA-9, 9-AAA-99, AA-999-A,"
    "A-999-AA, AAA-99-A, A-99-AAA, 9-AA-999, 999-AA-9"
)

RECOGNISERS: tuple[Recogniser, ...] = (
    Pattern(
        "de_plate",
        needle=_ANY,
        pattern=_GERMAN,
        width=12,
        read=_read_german,
        words=_DE,
        specific=3,
    ),
    Layouts(
        "es_plate",
        told=("9999 AAA", "9999AAA", "9999-AAA"),
        valid=without("AEIOUQ"),
        words=_ES,
        needle=_ANY,
        only_capitals=True,
    ),
    Layouts(
        "fr_plate",
        told=("AA-999-AA", "AA 999 AA"),
        valid=without("IOU"),
        words=_FR,
        needle=_ANY,
        only_capitals=True,
    ),
    Layouts(
        "it_plate",
        told=("AA 999 AA", "AA999AA"),
        valid=without("IOQU"),
        words=_IT,
        needle=_ANY,
        only_capitals=True,
        specific=6,
    ),
    Layouts(
        "nl_plate",
        told=_DUTCH,
        valid=without("AEIOUCMQ"),
        words=_NL,
        needle=_ANY,
        only_capitals=True,
        specific=3,
    ),
    Layouts(
        "uk_plate",
        told=("AA99 AAA", "AA99AAA", "A999 AAA", "AAA 999A"),
        valid=lambda plate: plate[2:4] != "00",
        words=_WORDS,
        needle=_ANY,
        only_capitals=True,
    ),
)
"""Every kind of this file."""
