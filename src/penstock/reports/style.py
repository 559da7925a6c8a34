"""How the page looks. Colours have a contrast of 4.5 to 1 at least on their ground, by day and by night."""

STYLE = """
:root { color-scheme: light dark; --ground: #fff; --text: #1c2126; --soft: #59636e; --line: #d5dae0; --raised: #f5f7f9;
  --good: #1a6b34; --fair: #7d4e00; --bad: #b3261e; --good-ground: #e4f4e8; --fair-ground: #fdf0d5;
  --bad-ground: #fde7e5; --link: #0b57a4; }
@media (prefers-color-scheme: dark) { :root { --ground: #14181c; --text: #e4e8ec; --soft: #a3adb8; --line: #363e47;
  --raised: #1e242a; --good: #7fd796; --fair: #efc069; --bad: #ff9d94; --good-ground: #17321f; --fair-ground: #38290b;
  --bad-ground: #421815; --link: #8fc1f5; } }
* { box-sizing: border-box; }
body { margin: 0 auto; max-width: 90rem; padding: 1rem; background: var(--ground); color: var(--text);
  font: 1rem/1.5 system-ui, sans-serif; overflow-wrap: anywhere; }
h1 { font-size: 1.5rem; line-height: 1.25; margin: .5rem 0; }
h2 { font-size: 1.2rem; margin: 2rem 0 .75rem; }
h3 { font-size: 1rem; margin: 0 0 .5rem; }
p { margin: .25rem 0 .5rem; }
code { font: .9em ui-monospace, monospace; }
.about, footer, .kind, .null, caption { color: var(--soft); }
.kind { display: block; font-size: .85em; }
.null { font-style: italic; }
summary .kind { display: inline; }
.skip { position: absolute; left: -99rem; }
.skip:focus { position: static; color: var(--link); }
.tiles { display: grid; grid-template-columns: repeat(auto-fit, minmax(8.5rem, 1fr)); gap: .75rem; margin: 0; }
.tiles div { background: var(--raised); border: 1px solid var(--line); border-radius: .5rem; padding: .6rem .8rem; }
.tiles dt { color: var(--soft); font-size: .85rem; }
.tiles dd { margin: 0; font-size: 1.5rem; font-variant-numeric: tabular-nums; }
dd.passed, .outcome.passed { color: var(--good); }
dd.warned, .outcome.warned { color: var(--fair); }
dd.failed, .outcome.failed { color: var(--bad); }
.outcome { font-weight: 600; white-space: nowrap; }
.broken { border: 1px solid var(--line); border-left: .35rem solid var(--fair); border-radius: .5rem;
  padding: .75rem 1rem; margin: 0 0 1rem; }
.broken.failed { border-left-color: var(--bad); }
.cards { display: grid; grid-template-columns: repeat(auto-fill, minmax(min(34rem, 100%), 1fr)); gap: 1rem; }
.cards .broken { margin: 0; min-width: 0; }
.runs { margin: 1rem 0 0; }
.runs figcaption { color: var(--soft); font-size: .85rem; margin: 0 0 .4rem; }
.runs svg { display: block; max-width: 100%; }
.runs .passed { fill: var(--good); }
.runs .warned { fill: var(--fair); }
.runs .failed { fill: var(--bad); }
.facts { display: grid; grid-template-columns: max-content 1fr; gap: .1rem .9rem; margin: 0 0 .5rem; font-size: .9rem; }
.facts dt { color: var(--soft); }
.facts dd { margin: 0; }
.scroll { overflow-x: auto; margin: 0 0 1rem; }
table { border-collapse: collapse; width: 100%; font-size: .9rem; overflow-wrap: normal; }
caption { text-align: left; font-size: .85rem; padding: 0 0 .35rem; }
th, td { border-bottom: 1px solid var(--line); padding: .35rem .6rem; text-align: left; vertical-align: top; }
thead th { color: var(--soft); font-weight: 600; white-space: nowrap; }
tbody th { font-weight: 500; position: sticky; left: 0; background: var(--ground); }
.nowrap { white-space: nowrap; }
tbody th code { white-space: nowrap; }
article table { width: auto; }
caption { white-space: nowrap; }
.number { text-align: right; white-space: nowrap; font-variant-numeric: tabular-nums; }
.good { background: var(--good-ground); color: var(--good); }
.fair { background: var(--fair-ground); color: var(--fair); }
.poor { background: var(--bad-ground); color: var(--bad); }
details { border: 1px solid var(--line); border-radius: .5rem; margin: 0 0 .6rem; }
summary { cursor: pointer; padding: .5rem .8rem; }
details .scroll { padding: 0 .8rem; }
:focus-visible { outline: 2px solid var(--link); outline-offset: 2px; }
.trend { display: block; }
.trend .passed { fill: var(--good); }
.trend .warned { fill: var(--fair); }
.trend .failed { fill: var(--bad); }
footer { margin: 2rem 0 0; font-size: .85rem; border-top: 1px solid var(--line); }
@media print { body { font-size: .8rem; max-width: none; padding: 0; }
  tr, .broken, .tiles div { break-inside: avoid; } h2, h3, caption, summary { break-after: avoid; }
  table { font-size: .7rem; } th, td { padding: .25rem .35rem; } thead th, .nowrap { white-space: normal; }
  .skip { display: none; } .scroll { overflow: visible; } tbody th { position: static; }
  details::details-content { content-visibility: visible; display: block; block-size: auto; } }
"""
