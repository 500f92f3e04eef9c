package report

import (
	"bytes"
	"html/template"

	"github.com/seatrial/seatrial/controlplane/fault"
)

// page writes a report as a page. It forbids the browser to load or to run anything, should a name ever get through.
func page(v view) ([]byte, error) {
	t, err := template.New("report").Parse(layout)
	if err != nil {
		return nil, fault.Wrap(fault.Internal, err, "read the page of reports")
	}
	if _, ok := address(v.URL); !ok {
		v.URL = ""
	}
	var b bytes.Buffer
	if err := t.Execute(&b, struct {
		view

		Columns, WaiverColumns []string
	}{v, columns(), waiverColumns()}); err != nil {
		return nil, fault.Wrap(fault.Internal, err, "write the page of a report")
	}
	return b.Bytes(), nil
}

const layout = `<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta http-equiv="Content-Security-Policy" content="default-src 'none'; style-src 'unsafe-inline'">
<title>{{.Name}} is {{.State}}</title>
<style>
body { font: 15px/1.5 system-ui, sans-serif; color: #1a1f24; background: #fff; max-width: 62rem; margin: 2rem auto; padding: 0 1rem; }
h1 { font-size: 1.5rem; line-height: 1.3; overflow-wrap: anywhere; }
h2 { font-size: 1.1rem; margin: 2rem 0 .5rem; break-after: avoid; }
.state { padding: .1em .5em; border: 2px solid currentColor; border-radius: .3em; white-space: nowrap; }
.READY, .READY_WITH_WAIVERS { color: #0b6b3a; }
.NOT_READY { color: #a4161a; }
.INCOMPLETE { color: #7a4b00; }
dl { display: grid; grid-template-columns: max-content 1fr; gap: .1rem 1rem; margin: 1rem 0; }
dt { color: #57606a; }
dd { margin: 0; overflow-wrap: anywhere; }
ul { padding-left: 1.2rem; }
li { overflow-wrap: anywhere; }
li:not(:has(li)) { break-inside: avoid; }
.wide { overflow-x: auto; }
table { border-collapse: collapse; width: 100%; }
th, td { border: 1px solid #d0d7de; padding: .25rem .5rem; text-align: left; vertical-align: top; overflow-wrap: anywhere; }
th { background: #f6f8fa; overflow-wrap: normal; }
.matrix :is(th, td):nth-child(-n+2) { min-width: 9ch; }
.matrix :is(th, td):last-child { min-width: 14ch; }
.matrix :is(th, td):nth-child(n+3):nth-child(-n+10) { text-align: right; font-variant-numeric: tabular-nums; }
thead { display: table-header-group; }
tr { break-inside: avoid; }
@page { margin: 15mm; }
@media print {
body { font-size: 9.5pt; line-height: 1.4; margin: 0; padding: 0; max-width: none; }
h2 { margin: 1.2rem 0 .4rem; }
.wide { overflow: visible; padding-right: 1px; }
th { background: none; }
table { font-size: 8pt; }
th, td { padding: .15rem .3rem; }
a { color: inherit; }
}
</style>
</head>
<body>
<main>
<h1>{{.Name}} is <span class="state {{.State}}">{{.State}}</span></h1>
<p>{{.Says}}</p>
<dl>
{{range .Facts}}<dt>{{.Name}}</dt><dd>{{.Value}}</dd>
{{end}}{{with .URL}}<dt>Page</dt><dd><a href="{{.}}" rel="noreferrer">{{.}}</a></dd>
{{end}}</dl>
{{with .Gaps}}<h2>Gaps</h2>
<ul>
{{range .}}<li>{{.}}</li>
{{end}}</ul>
{{end}}{{with .Bad}}<h2>The evidence is bad</h2>
{{template "rules" .}}{{end}}{{with .Missing}}<h2>Evidence is missing</h2>
{{template "rules" .}}{{end}}{{if .Matrix}}<h2>What was tested</h2>
<div class="wide" tabindex="0" role="region" aria-label="What was tested"><table class="matrix">
<thead><tr>{{range .Columns}}<th scope="col">{{.}}</th>{{end}}</tr></thead>
<tbody>
{{range .Matrix}}<tr>{{range .}}<td>{{.}}</td>{{end}}</tr>
{{end}}</tbody>
</table></div>
{{end}}{{if .Waivers}}<h2>Waivers</h2>
<div class="wide" tabindex="0" role="region" aria-label="Waivers"><table>
<thead><tr>{{range .WaiverColumns}}<th scope="col">{{.}}</th>{{end}}</tr></thead>
<tbody>
{{range .Waivers}}<tr><td>{{.Rule}}</td><td>{{.For}}</td><td>{{.Reason}}</td><td>{{.Requester}}</td><td>{{.Approvers}}</td><td>{{.Until}}</td><td>{{.State}}</td></tr>
{{end}}</tbody>
</table></div>
{{end}}{{with .Holding}}<h2>What holds</h2>
{{template "rules" .}}{{end}}</main>
</body>
</html>
{{define "rules"}}<ul>
{{range .}}<li><strong>{{.ID}}</strong>{{with .Description}}: {{.}}{{end}}{{if .Waived}} (by waivers){{end}}{{with .Cells}}
<ul>
{{range .}}<li>{{.Place}}{{with .Error}}: {{.}}{{end}}{{if or .Tests .More .Open}}
<ul>
{{range .Tests}}<li>{{.Name}}: {{.Verdict}}</li>
{{end}}{{if .More}}<li>and {{.More}} more</li>
{{end}}{{if .Open}}<li>and perhaps others: not every test was looked at</li>
{{end}}</ul>{{end}}</li>
{{end}}</ul>{{end}}</li>
{{end}}</ul>
{{end}}`
