// SPDX-License-Identifier: Apache-2.0

package metrics

import (
	"maps"
	"os"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/prometheus/client_golang/prometheus"
)

// docs/reference/metrics.md lists every metric with its type and labels, and no
// other. "call" on the page means callLabels.
func TestReferenceOfMetricsIsWhatIsExported(t *testing.T) {
	page, err := os.ReadFile("../../docs/reference/metrics.md")
	if err != nil {
		t.Fatal(err)
	}
	listed := make(map[string]string)
	for _, m := range regexp.MustCompile("(?m)^\\| `(vlibos_\\w+)` \\| (\\w+) \\| ([^|]*)\\|").FindAllStringSubmatch(string(page), -1) {
		var labels []string
		for label := range strings.SplitSeq(strings.TrimSpace(m[3]), ", ") {
			switch label {
			case "":
			case "call":
				labels = append(labels, callLabels...)
			default:
				labels = append(labels, label)
			}
		}
		slices.Sort(labels)
		listed[m[1]] = m[2] + " of " + strings.Join(labels, ", ")
	}
	r := prometheus.NewPedanticRegistry()
	r.MustRegister(New(source(t), build), NewReloads())
	families, err := r.Gather()
	if err != nil {
		t.Fatal(err)
	}
	there := make(map[string]string)
	for _, f := range families {
		var labels []string
		for _, l := range f.Metric[0].Label {
			labels = append(labels, l.GetName())
		}
		slices.Sort(labels)
		there[f.GetName()] = strings.ToLower(f.GetType().String()) + " of " + strings.Join(labels, ", ")
	}
	for _, name := range slices.Sorted(maps.Keys(there)) {
		if listed[name] != there[name] {
			t.Errorf("%s is a %s; the page has %q", name, there[name], listed[name])
		}
	}
	for name := range listed {
		if _, ok := there[name]; !ok {
			t.Errorf("%s is on the page, but is no metric", name)
		}
	}
}
