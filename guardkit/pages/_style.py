"""How a page looks: style sheets for screens of any width, for the dark, and for paper."""

from __future__ import annotations

from typing import Final

_PAGE: Final = """
:root{color-scheme:light dark;
--paper:#fdfcf9;--ink:#1c1e21;--soft:#5b6067;--faint:#8d9299;--rule:#dcd9d1;--wash:#f4f2ec;
--bad:#a63d1c;--bad-wash:#e9c9bb;--good:#2a5b85;--good-wash:#c3d4e2;--mark:#7a5b00;
--text:"Charter","Bitstream Charter","Iowan Old Style","Palatino Linotype",Georgia,serif;
--data:system-ui,-apple-system,"Segoe UI",Roboto,"Helvetica Neue","DejaVu Sans",sans-serif}
@media (prefers-color-scheme:dark){:root{
--paper:#14161a;--ink:#e6e3dc;--soft:#a4a9b0;--faint:#7d838b;--rule:#33373d;--wash:#1d2025;
--bad:#ee8f6c;--bad-wash:#5b3222;--good:#86b6dd;--good-wash:#27435c;--mark:#d9b44a}}
*{box-sizing:border-box}
html{-webkit-text-size-adjust:100%}
body{margin:0;background:var(--paper);color:var(--ink);font:1.0625rem/1.55 var(--text)}
main{max-width:60rem;margin:0 auto;padding:3rem 1.5rem 4rem}
h1{font-size:2.3rem;line-height:1.12;font-weight:600;letter-spacing:-.012em;margin:.15rem 0 .6rem;
overflow-wrap:anywhere}
h2{font-size:1.35rem;line-height:1.25;font-weight:600;margin:3.2rem 0 .35rem;padding-top:.9rem;
border-top:1px solid var(--rule)}
h3{font-size:1.08rem;font-weight:600;margin:2rem 0 .2rem}
h2 code,h3 code{font-size:.92em}
p{margin:.4rem 0 .8rem;max-width:40rem}
.lead,.aside{color:var(--soft)}
.aside{font-size:.94rem}
.over{font:600 .74rem/1 var(--data);letter-spacing:.09em;text-transform:uppercase;color:var(--soft)}
code,.id{font:.88em/1.4 ui-monospace,"SF Mono",Menlo,Consolas,"DejaVu Sans Mono",monospace;
overflow-wrap:anywhere}
.keys{display:grid;grid-template-columns:repeat(auto-fit,minmax(10.5rem,1fr));gap:1.4rem 2rem;
margin:2rem 0 .6rem;padding:0}
.keys div{border-top:2px solid var(--ink);padding-top:.6rem}
.keys dt{font:600 .78rem/1.3 var(--data);color:var(--soft)}
.keys dd{margin:0}
.keys .big{font-size:2.15rem;line-height:1.2;font-variant-numeric:lining-nums tabular-nums;
letter-spacing:-.01em}
.keys .big small{font-size:.55em;color:var(--soft);letter-spacing:0}
.keys .range{font:.8rem/1.45 var(--data);color:var(--soft);font-variant-numeric:tabular-nums}
.notes{margin:1.6rem 0;padding:.1rem 0 .1rem 1rem;border-left:3px solid var(--mark);
font-size:.96rem}
.notes p{margin:.35rem 0}
.scroll{overflow-x:auto;margin:.9rem 0 .4rem}
table{border-collapse:collapse;width:100%;font:.86rem/1.4 var(--data);
font-variant-numeric:lining-nums tabular-nums}
caption{text-align:left;color:var(--soft);padding:0 0 .45rem;font-size:.92em;caption-side:top}
th,td{padding:.36rem .55rem;text-align:right;vertical-align:baseline;white-space:nowrap;
border-bottom:1px solid var(--rule)}
thead th{font-weight:600;color:var(--soft);font-size:.92em;vertical-align:bottom;
border-bottom:1.5px solid var(--ink);line-height:1.25}
th:first-child,td:first-child{padding-left:0}th:last-child,td:last-child{padding-right:0}
tbody th{text-align:left;font-weight:500;white-space:normal;overflow-wrap:break-word;min-width:7rem;
max-width:16rem}
thead th:first-child,.left{text-align:left}
tbody tr.kind th{color:var(--soft);font-weight:600;padding-top:1rem}
tr.sum th,tr.sum td{font-weight:600}
td .range{color:var(--soft);font-size:.88em;margin-left:.35em}
td.none{color:var(--faint)}
td.plot{padding:.42rem .4rem 0;vertical-align:top;width:7.4rem}
td.plot svg{display:block;width:7rem;height:1rem;margin-left:auto}
.tag{font:600 .74rem/1 var(--data);color:var(--mark);white-space:nowrap}
.figures{display:grid;grid-template-columns:repeat(auto-fit,minmax(min(100%,20rem),1fr));
gap:2rem 2.6rem;margin:1.2rem 0 1rem}
figure{margin:0;min-width:0;break-inside:avoid}
figure svg{display:block;width:100%;height:auto;overflow:visible}
figcaption{font:.82rem/1.4 var(--data);color:var(--soft);margin-top:.35rem}
figcaption b{color:var(--ink);font-weight:600}
svg text{font-family:var(--data);font-size:9px;fill:var(--soft);
font-variant-numeric:tabular-nums}
svg .lab{fill:var(--ink);font-weight:600}
svg .axis{stroke:var(--faint);stroke-width:1;fill:none}
svg .grid{stroke:var(--rule);stroke-width:1;fill:none}
svg .dash{stroke:var(--faint);stroke-width:1;stroke-dasharray:3 3;fill:none}
svg .line{stroke:var(--ink);stroke-width:1.4;fill:none;stroke-linejoin:round}
svg .dot{fill:var(--paper);stroke:var(--ink);stroke-width:1.3}
svg .cut{stroke:var(--mark);stroke-width:1.3;fill:none}
svg .bad{fill:var(--bad)}svg .good{fill:var(--good)}
svg .bad-line{stroke:var(--bad);stroke-width:1.6;fill:none}
svg .good-line{stroke:var(--good);stroke-width:1.6;fill:none}
svg .bad-text{fill:var(--bad);font-weight:600}svg .good-text{fill:var(--good);font-weight:600}
.switch{font:.82rem/1.4 var(--data);color:var(--soft);margin-top:.35rem}
.switch label{margin-right:.9rem;cursor:pointer}
.switch input{margin:0 .3rem 0 0;vertical-align:-.1em;accent-color:var(--good)}
.roc .even{display:none}
.roc:has(input[value=even]:checked) .even{display:block}
.roc:has(input[value=even]:checked) .log{display:none}
details{margin:1rem 0}
summary{cursor:pointer;font:600 .9rem/1.4 var(--data);color:var(--soft)}
summary:focus-visible,a:focus-visible,input:focus-visible,.scroll:focus-visible{outline:2px solid
var(--good);outline-offset:2px}
.ids{columns:14rem;font-size:.9rem;padding-left:1.1rem;margin:.3rem 0 1rem}
.ids li{overflow-wrap:anywhere}
footer{margin-top:3.5rem;padding-top:1rem;border-top:1px solid var(--rule);color:var(--soft);
font-size:.92rem}
@media (max-width:46rem){td.plot,th.plot{display:none}}
@media (max-width:34rem){
body{font-size:1rem}main{padding:1.6rem 1rem 3rem}h1{font-size:1.75rem}h2{margin-top:2.4rem}
.keys{grid-template-columns:1fr 1fr;gap:1.1rem 1.2rem}.keys .big{font-size:1.65rem}
table{font-size:.78rem}th,td{padding:.34rem .2rem}thead th{white-space:normal}
td .range{display:block;margin:0}
tbody th{min-width:3.6rem}.wide{display:none}}
@media print{
:root{color-scheme:light;--paper:#fff;--ink:#000;--soft:#444;--faint:#777;--rule:#ccc;--wash:#fff;
--bad:#8f3315;--bad-wash:#e9c9bb;--good:#234e73;--good-wash:#c3d4e2;--mark:#6b5000}
@page{margin:16mm 15mm}
body{font-size:9.6pt}main{max-width:none;padding:0}
h1{font-size:21pt}h2{break-after:avoid;margin-top:18pt}.keys{grid-template-columns:repeat(4,1fr)}
.keys .big{font-size:19pt}.over{font-size:6.6pt}details::details-content{content-visibility:visible}
h3{break-after:avoid}
tr,figure,.keys div,.notes{break-inside:avoid}thead{display:table-header-group}
.scroll{overflow:visible}.switch{display:none}table{font-size:8.1pt}
.figures{grid-template-columns:repeat(2,1fr);gap:10pt 18pt}
td.plot,th.plot{display:table-cell}td.plot svg{width:5.6rem}td.plot{width:6rem}
details>summary{list-style:none}p,li{orphans:3;widows:3}}
"""

_FLOW: Final = """
.flow{margin:1.4rem 0 1.2rem}
.flow svg text{font-size:12px}
.flow .node{stroke:var(--ink);stroke-width:2.4;fill:none}
.flow .downward{display:none;max-width:26rem}
.flow.narrow .downward{display:block}
@media (max-width:46rem){.flow .across{display:none}.flow .downward{display:block}}
@media print{.flow .across,.flow.narrow .downward{display:block}
.flow:not(.narrow) .downward{display:none}}
"""

_SPARK: Final = """
.spark{display:inline-block;width:8.6rem;height:1.9rem;vertical-align:middle}
td .spark{margin:-.05rem 0}
"""

_BARS: Final = """
td.bar{min-width:6rem;padding-bottom:.5rem}
td.bar svg{display:block;width:100%;height:.55rem;margin-top:.25rem;overflow:visible}
.bar path{vector-effect:non-scaling-stroke}
.bar .rail{fill:var(--wash)}
.bar .many{color:var(--soft);font-size:.88em;font-weight:400;margin-right:.9em}
@media (max-width:34rem){.bar .many{display:block;margin:0}}
@media print{.bar .rail{fill:#eee}}
"""

_OF: Final = """
td .of{display:block;color:var(--soft);font-size:.92em;font-weight:400;line-height:1.25}
"""

_HEAT: Final = """
.heat table{width:auto}
.heat th,.heat td{padding:.3rem .45rem}
.heat th:first-child{padding-left:0}
.heat tbody th{position:sticky;left:0;z-index:1;background:var(--paper);min-width:6rem}
.heat thead th:first-child{position:sticky;left:0;z-index:1;background:var(--paper)}
.heat thead .tall{text-align:center}
.heat .tall span{display:inline-block;writing-mode:vertical-rl;transform:rotate(180deg);
max-height:11rem;overflow-wrap:anywhere;white-space:normal}
.heat td{text-align:center;min-width:3.1rem;border:1px solid var(--paper)}
.heat td .of{font-size:.8em}
@media print{.heat tbody th,.heat thead th:first-child{position:static}
.heat th,.heat td{padding:2pt 2.5pt;min-width:0}.heat table{font-size:7pt}}
"""

TINTS: Final = 10
"""Levels of a tinted cell; what is nothing has none."""
_TINT: Final = 5
"""Percent of colour by which a level is stronger: at the last one, ink is still read with ease."""
_TINTED: Final = """
.tint{print-color-adjust:exact;-webkit-print-color-adjust:exact}
.tint .of{color:inherit}
""" + "".join(
    f".tint.{style}.t{level}"
    f"{{background:color-mix(in srgb,var(--{style}) {_TINT * level}%,var(--paper))}}\n"
    for style in ("bad", "good")
    for level in range(1, TINTS + 1)
)

_WASH: Final = """
svg .bad-wash{fill:var(--bad-wash)}svg .good-wash{fill:var(--good-wash)}
"""

_SHEETS: Final = (
    ('-wash"', _WASH),
    ('class="flow', _FLOW),
    ('class="spark', _SPARK),
    ('class="of"', _OF),
    ('class="bar', _BARS),
    ('class="heat', _HEAT),
    ('class="tint', _TINTED),
)
"""What a page has where this is in its markup: one without the picture stays small."""


def style_of(markup: str) -> str:
    """The style of a page with this markup."""
    return _PAGE + "".join(sheet for mark, sheet in _SHEETS if mark in markup)
