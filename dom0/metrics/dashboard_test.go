// SPDX-License-Identifier: Apache-2.0

package metrics

import (
	"encoding/json"
	"os"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/prometheus/client_golang/prometheus"
)

// exported are the existing metrics, as Prometheus stores them, each with its
// labels.
func exported(t *testing.T) map[string][]string {
	t.Helper()
	r := prometheus.NewPedanticRegistry()
	r.MustRegister(New(source(t), build), NewReloads())
	families, err := r.Gather()
	if err != nil {
		t.Fatal(err)
	}
	all := make(map[string][]string)
	for _, f := range families {
		labels := []string{"instance"} // Prometheus's own
		for _, l := range f.Metric[0].Label {
			labels = append(labels, l.GetName())
		}
		if f.Metric[0].Histogram == nil {
			all[f.GetName()] = labels
			continue
		}
		all[f.GetName()+"_count"], all[f.GetName()+"_sum"] = labels, labels
		all[f.GetName()+"_bucket"] = append(labels, "le")
	}
	return all
}

type panel struct {
	Title   string
	Type    string
	GridPos struct{ H, W, X, Y int }
	Targets []struct{ Expr, LegendFormat string }
}

type dashboard struct {
	Title, UID    string
	SchemaVersion int
	Panels        []panel
	Templating    struct {
		List []struct{ Name, Definition string }
	}
}

func readDashboard(t *testing.T) dashboard {
	t.Helper()
	b, err := os.ReadFile("../../packaging/grafana/vlibos.json")
	if err != nil {
		t.Fatal(err)
	}
	var d dashboard
	if err := json.Unmarshal(b, &d); err != nil {
		t.Fatal(err)
	}
	return d
}

var (
	metricName = regexp.MustCompile(`vlibos_\w+`)
	selector   = regexp.MustCompile(`(vlibos_\w+)(\{[^}]*\})?`)
	matcher    = regexp.MustCompile(`(\w+)=~?"`)
	grouping   = regexp.MustCompile(`by \(([^)]*)\)`)
	legend     = regexp.MustCompile(`\{\{(\w+)\}\}`)
	labelQuery = regexp.MustCompile(`^label_values\((vlibos_\w+), (\w+)\)$`)
)

// Every expression of the dashboard uses existing metrics and labels, and every
// metric is on it.
func TestDashboardHasEveryMetricAndNoOther(t *testing.T) {
	d, all := readDashboard(t), exported(t)
	if d.Title == "" || d.UID == "" || d.SchemaVersion == 0 || len(d.Panels) < 10 {
		t.Fatalf("%+v", d)
	}
	shown := make(map[string]bool)
	for _, p := range d.Panels {
		if (p.Type == "row") != (len(p.Targets) == 0) || p.GridPos.W == 0 || p.GridPos.X+p.GridPos.W > 24 {
			t.Errorf("panel %q: %+v", p.Title, p)
		}
		for _, target := range p.Targets {
			checkExpression(t, all, target.Expr, target.LegendFormat)
			for _, name := range metricName.FindAllString(target.Expr, -1) {
				shown[strings.TrimSuffix(strings.TrimSuffix(strings.TrimSuffix(name, "_bucket"), "_sum"), "_count")] = true
			}
		}
	}
	for _, v := range d.Templating.List {
		if v.Name == "datasource" {
			continue
		}
		m := labelQuery.FindStringSubmatch(v.Definition)
		if m == nil || !slices.Contains(all[m[1]], m[2]) {
			t.Errorf("variable %s: %q", v.Name, v.Definition)
		}
	}
	for name := range all {
		base := strings.TrimSuffix(strings.TrimSuffix(strings.TrimSuffix(name, "_bucket"), "_sum"), "_count")
		if !shown[base] {
			t.Errorf("%s is not on the dashboard", base)
		}
	}
}

func checkExpression(t *testing.T, all map[string][]string, expr, legendFormat string) {
	t.Helper()
	if strings.Count(expr, "(") != strings.Count(expr, ")") || strings.Count(expr, "{") != strings.Count(expr, "}") {
		t.Errorf("%s: brackets", expr)
	}
	selectors := selector.FindAllStringSubmatch(expr, -1)
	if len(selectors) == 0 {
		t.Errorf("%s: no metric", expr)
	}
	left := []string(nil)
	for _, s := range selectors {
		labels, ok := all[s[1]]
		if !ok {
			t.Errorf("%s: there is no %s", expr, s[1])
		}
		for _, m := range matcher.FindAllStringSubmatch(s[2], -1) {
			if !slices.Contains(labels, m[1]) {
				t.Errorf("%s: %s has no label %s", expr, s[1], m[1])
			}
		}
		// A counter is shown as a rate; nothing else is.
		before, _, _ := strings.Cut(expr, s[0])
		rated := strings.HasSuffix(before, "rate(") || strings.HasSuffix(before, "increase(")
		if counts := regexp.MustCompile(`_(total|count|sum|bucket)$`).MatchString(s[1]); counts != rated {
			t.Errorf("%s: %s: rate or increase: %v", expr, s[1], rated)
		}
		left = labels
	}
	for _, g := range grouping.FindAllStringSubmatch(expr, -1) {
		left = strings.Split(g[1], ", ")
		for _, l := range left {
			if labels := all[selectors[0][1]]; !slices.Contains(labels, l) {
				t.Errorf("%s: by %s", expr, l)
			}
		}
	}
	for _, l := range legend.FindAllStringSubmatch(legendFormat, -1) {
		if !slices.Contains(left, l[1]) {
			t.Errorf("%s: the legend names %s", expr, l[1])
		}
	}
}
