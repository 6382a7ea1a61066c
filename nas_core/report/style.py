"""The page's style sheet: one set of names, light and dark values, wide and narrow screens."""

_LIGHT = """
--paper:#f4f5f7;--card:#fff;--ink:#1a2230;--soft:#596577;--rule:#dde2ea;--tint:#eef1f6;
--agent:#2463d6;--control:#8b95a5;--bad:#c43c35;--good:#1d8a5a;--front:#d9730d;
--p0:#dd9a2b;--p1:#e08636;--p2:#dc7043;--p3:#d35b53;--p4:#c64864;--p5:#b43a77;--p6:#9c3088;
--p7:#802a93;--p8:#602698;--p9:#3c2494;
--c1:#2463d6;--c2:#d9730d;--c3:#1d8a5a;--c4:#a63da0;--c5:#7d6608;
--image:#aab4c2;--embed:#4a9e8e;--recur:#b0569c;--conv:#3f7fe0;--sep:#17a2a2;--pool:#ea8a2e;--dense:#8a5bd6;--gap:#c9a40c;
--drop:#9aa5b4;--norm:#6aa56f;--act:#7fb0c8;--soft-max:#d8506b;
"""
_DARK = """
--paper:#0f141b;--card:#182029;--ink:#e7ecf3;--soft:#9eabbc;--rule:#2c3744;--tint:#212b37;
--agent:#6ea5ff;--control:#8d99aa;--bad:#ff7d74;--good:#4fc78f;--front:#ffa04d;
--p0:#ffc861;--p1:#ffb25e;--p2:#ff9c63;--p3:#fb866f;--p4:#f27383;--p5:#e46799;--p6:#d163b1;
--p7:#b967c9;--p8:#a172e0;--p9:#8c84ff;
--c1:#6ea5ff;--c2:#ffa04d;--c3:#4fc78f;--c4:#df86da;--c5:#d6bd4b;
--image:#8593a5;--embed:#63bfae;--recur:#cf7abc;--conv:#5b95f0;--sep:#2dbdbd;--pool:#f09a48;--dense:#a37ff0;--gap:#d9b93a;
--drop:#78859a;--norm:#7dbb83;--act:#8fc0d8;--soft-max:#ea6b85;
"""
_PAGE = """
*{box-sizing:border-box}
body{margin:0;background:var(--paper);color:var(--ink);line-height:1.5;
font:15px/1.5 system-ui,-apple-system,"Segoe UI",Roboto,"Noto Sans",Arial,sans-serif}
main{max-width:1120px;margin:0 auto;padding:36px 24px 24px}
h1{font-size:30px;line-height:1.2;margin:0 0 8px;letter-spacing:-.01em}
h2{font-size:21px;margin:40px 0 14px;letter-spacing:-.01em}
h3{font-size:15px;margin:0 0 6px}
.eyebrow,.label{color:var(--soft);font-size:13px;margin:0 0 4px}
.label{margin-top:18px}
.lead{font-size:18px;max-width:46em;margin:0 0 22px}
.note,figcaption{color:var(--soft);font-size:14px;max-width:52em;margin:6px 0 12px}
figcaption{margin:8px 0 0}
.notice{border-left:4px solid var(--bad);background:var(--card);padding:8px 14px;margin:0 0 14px}
footer{color:var(--soft);font-size:13px;margin-top:40px;border-top:1px solid var(--rule);
padding-top:14px;overflow-wrap:anywhere}
code,pre{font-family:ui-monospace,SFMono-Regular,Menlo,Consolas,"DejaVu Sans Mono",monospace;
font-size:13px}
pre{background:var(--tint);border-radius:8px;padding:12px 14px;margin:0;overflow-x:auto}
code.spec{display:block;color:var(--soft);overflow-wrap:anywhere;margin-top:8px}
figure,.card,.winner,details,section>.scroll{background:var(--card);border:1px solid var(--rule);
border-radius:12px;padding:16px 18px;margin:0}
section>.scroll{padding:4px 18px}
.winner{margin-top:14px}
.grid{display:grid;grid-template-columns:repeat(auto-fit,minmax(min(100%,440px),1fr));gap:16px;
margin-top:16px}
header>.facts{grid-template-columns:repeat(auto-fill,minmax(220px,1fr))}
.scroll{overflow-x:auto}
.facts{display:grid;grid-template-columns:repeat(auto-fill,minmax(164px,1fr));gap:10px;margin:0}
.facts div{background:var(--card);border:1px solid var(--rule);border-radius:10px;padding:9px 13px;
min-width:0}
.facts dt{color:var(--soft);font-size:12.5px}
.facts dd{margin:0;font-size:17px;font-weight:600;font-variant-numeric:tabular-nums;
overflow-wrap:anywhere}
section h3{margin-top:18px}figure h3{margin-top:0}section>figure{margin-top:16px}
.card{position:relative;margin:0 0 14px;padding-left:62px}
.card .rank{position:absolute;left:16px;top:16px;width:32px;height:32px;border-radius:50%;
background:var(--tint);font-weight:700;text-align:center;line-height:32px}
.card .facts{grid-template-columns:repeat(auto-fill,minmax(136px,1fr));gap:4px 18px}
.card .facts div{border:0;padding:0;background:none}
.card .facts dd{font-size:15.5px}
details{margin-top:14px}
summary{cursor:pointer;font-weight:600}
details[open] summary{margin-bottom:10px}
"""
_TABLES = """
table{border-collapse:collapse;width:100%;font-size:14px}
th,td{text-align:left;padding:8px 14px 8px 0;border-bottom:1px solid var(--rule);
vertical-align:top;overflow-wrap:break-word;min-width:96px}
td code{display:inline-block;min-width:220px}
tbody tr:last-child>*{border-bottom:0}
th{font-weight:600;color:var(--soft);font-size:13px}
.number{min-width:0;text-align:right;white-space:nowrap;font-variant-numeric:tabular-nums;padding-right:0;
padding-left:16px}
.tag{display:inline-block;background:var(--tint);border-radius:6px;padding:0 7px;margin-right:8px;
font-size:12px}
.tag.good{background:var(--good);color:var(--card)}
.confusion{width:auto;font-size:13px}
.confusion td{width:34px;min-width:34px;height:30px;padding:0 4px;text-align:center;
vertical-align:middle;border:2px solid var(--card);font-variant-numeric:tabular-nums}
.confusion .right{background:color-mix(in srgb,var(--good) calc(var(--share)*100%),var(--tint))}
.confusion .wrong{background:color-mix(in srgb,var(--bad) calc(var(--share)*100%),var(--tint))}
.confusion .strong{color:var(--card);font-weight:600}
.confusion th{min-width:0;border:0;padding:2px 8px 2px 0;white-space:nowrap;vertical-align:middle}
.confusion thead th{height:90px;vertical-align:bottom;padding:0}
.confusion thead span{writing-mode:vertical-rl;transform:rotate(180deg);max-height:140px}
.meters{list-style:none;margin:0;padding:0}
.meters li{display:grid;grid-template-columns:minmax(70px,30%) 1fr 48px;gap:10px;align-items:center;
padding:3px 0;font-size:14px;overflow-wrap:anywhere}
.meters i{height:12px;border-radius:6px;background:linear-gradient(90deg,var(--agent)
calc(var(--share)*100%),var(--tint) 0)}
.meters b{text-align:right;font-variant-numeric:tabular-nums;font-weight:600}
.legend{list-style:none;display:flex;flex-wrap:wrap;gap:3px 16px;margin:8px 0 0;padding:0;
font-size:13px;color:var(--soft)}
.card+.grid{margin-top:0}
section>.legend{margin-bottom:14px}
.key{display:inline-block;width:11px;height:11px;border-radius:3px;margin-right:6px;
background:var(--c,var(--soft))}
.key.hollow{background:none;border:2px solid var(--soft);border-radius:50%}
.key.cross{background:none}
.key.cross::before{content:"×";color:var(--bad);font:700 16px/11px sans-serif}
"""
_DRAWING = """
svg text{fill:var(--ink);font-size:12px;text-anchor:middle}
svg text.tick,svg text.axis,svg text.detail,svg text.size{fill:var(--soft)}
svg text.strong{fill:var(--ink)}
svg text.end{text-anchor:end}svg text.start{text-anchor:start}
.chart{display:block;width:100%;height:auto}
line.rule{stroke:var(--rule)}
line.dotted{stroke-dasharray:2 4}
.dot circle{fill:var(--c);fill-opacity:.8}
.dot circle:hover{fill-opacity:1;stroke:var(--ink);stroke-width:1.5}
.dot.faint circle{fill-opacity:.45}
.dot.hollow circle{fill:var(--card);fill-opacity:.6;stroke:var(--c);stroke-width:1.4}
.cross path{stroke:var(--bad);stroke-width:1.7;fill:none}
.line{fill:none;stroke:var(--c);stroke-width:2.2;stroke-linejoin:round}
.line.control{stroke-dasharray:6 4}
.line.zero{stroke:var(--soft);stroke-width:1;stroke-dasharray:2 3}
.line.pareto{stroke-width:1.4}
.bar{fill:var(--c)}
.band{fill:var(--c);fill-opacity:.16}
.chain{display:block;margin-top:8px;max-width:100%;height:auto}
.chain text{font-size:11px}
.chain .name{font-weight:600}
.chain .front,.chain .top,.chain .side{stroke:var(--card);stroke-width:.8}
.chain .front{fill:var(--c)}
.chain .top{fill:color-mix(in srgb,var(--c) 72%,#fff)}
.chain .side{fill:color-mix(in srgb,var(--c) 74%,#000)}
.chain .link{stroke:var(--control);stroke-width:1.4}
.chain .skip{stroke:var(--front);stroke-width:1.6;fill:none}
.cells{display:flex;flex-wrap:wrap;gap:4px 40px}
.cells>div{min-width:0;max-width:100%}
.cells h4{font-size:13px;margin:12px 0 6px}
.cells small{font-size:13px;font-weight:400;color:var(--soft);margin-left:6px}
.cell{display:block}
.cell text{font-size:11.5px}
.cell .detail{font-size:11px}
.cell .box{fill:color-mix(in srgb,var(--c) 26%,var(--card));stroke:var(--c);stroke-width:1.2}
.cell .join{fill:var(--card);stroke:var(--soft)}
.cell .flow{stroke:var(--soft);stroke-width:1.3;fill:none}
.cell .halo{stroke:var(--card);stroke-width:5;fill:none}
.cell .tip{fill:var(--soft)}
.stacks{list-style:none;display:flex;flex-wrap:wrap;gap:6px 0;margin:12px 0 0;padding:0;
font-size:13px;color:var(--soft);font-variant-numeric:tabular-nums}
.stacks b{color:var(--ink);font-weight:600}
.stacks li+li::before{content:"→";margin:0 9px}
@media (max-width:640px){
main{padding:20px 14px}h1{font-size:25px}.lead{font-size:16.5px}
.chart text{font-size:17px}
figure,.winner{padding:14px 12px}
.card{padding:56px 14px 14px}.card .rank{left:14px;top:14px}
.facts,header>.facts{grid-template-columns:repeat(auto-fill,minmax(132px,1fr))}
}
@media (min-width:960px){
.grid figure:last-child:nth-child(odd){grid-column:1/-1;display:grid;gap:0 32px;
grid-template-columns:1fr 1fr;grid-template-rows:auto auto 1fr}
.grid figure:last-child:nth-child(odd) .chart{grid-row:2/4}
.grid figure:last-child:nth-child(odd) h3{grid-column:1/-1}
.grid figure:last-child:nth-child(odd) .legend{margin-top:36px}
}
@media print{body{background:#fff}figure,.card{break-inside:avoid}}
"""


def _colours() -> str:
    """Return one class per colour name, so that marks and keys share them."""
    plain = [
        "agent",
        "control",
        *(f"p{i}" for i in range(10)),
        *(f"c{i}" for i in range(1, 6)),
    ]
    layers = {
        "image": "image",
        "embedding": "embed",
        "conv": "conv",
        "sep_conv": "sep",
        "pool": "pool",
        "recurrent": "recur",
        "dense": "dense",
        "gap": "gap",
        "dropout": "drop",
        "batch_norm": "norm",
        "activation": "act",
        "softmax": "soft-max",
        "identity": "drop",
        "convolution": "conv",
        "factorised": "norm",
        "dilated": "dense",
        "separable": "sep",
        "average_pool": "gap",
        "max_pool": "pool",
        "output": "image",
    }
    rules = [".pareto{--c:var(--front)}"]
    rules += [f".{name}{{--c:var(--{name})}}" for name in plain]
    return "".join(rules + [f".l-{kind}{{--c:var(--{name})}}" for kind, name in layers.items()])


STYLE = (
    f":root{{color-scheme:light dark;{_LIGHT}}}"
    f"@media (prefers-color-scheme:dark){{:root{{{_DARK}}}}}"
    f"{_PAGE}{_TABLES}{_colours()}{_DRAWING}"
)
