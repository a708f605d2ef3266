// SPDX-License-Identifier: Apache-2.0

package metrics

import (
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/vlibos/vlibos/dom0/api"
	"github.com/vlibos/vlibos/dom0/host"
)

// Domains that no reservation bounds are bounded; two with the same labels are one
// series; a name is what a guest chose.
func TestSeriesOfUnreservedDomainsAreBounded(t *testing.T) {
	second := time.Second
	h := &fakeHost{work: []api.Domain{
		{Domain: host.Domain{ID: "1", UUID: "u-1", Name: "web"}, Reservation: 2048, Work: host.Work{CPU: 2 * second, Steal: &second, Gate: host.GateClosed}},
		{Domain: host.Domain{ID: "2", UUID: "u-2", Name: "evil\"\n} 1\x1b"}, Work: host.Work{CPU: second}},
		{Domain: host.Domain{ID: "3", UUID: "u-2", Name: "evil\"\n} 1\x1b"}, Work: host.Work{CPU: second, Steal: &second}},
	}}
	for i := range 1000 {
		h.work = append(h.work, api.Domain{Domain: host.Domain{ID: strconv.Itoa(i + 4), UUID: strconv.Itoa(i)}, Work: host.Work{CPU: second}})
	}
	text := exposition(t, Source{Master: h, Calls: calledBy(t), Gateway: targets{}, Throttle: throttleOf{}, Caches: cachesOf{}})
	for _, want := range []string{
		`vlibos_domain_cpu_seconds_total{name="web",reservation="2048",uuid="u-1"} 2`,
		`vlibos_domain_steal_seconds_total{name="web",reservation="2048",uuid="u-1"} 1`,
		`vlibos_domain_gate_closed{name="web",reservation="2048",uuid="u-1"} 1`,
		`vlibos_domain_cache_bytes{name="evil\"\ufffd} 1\ufffd",reservation="",uuid="u-2"} 65`,
		`vlibos_domain_memory_bytes_total{name="evil\"\ufffd} 1\ufffd",reservation="",uuid="u-2"} 650`,
		`vlibos_domain_cpu_seconds_total{name="evil\"\ufffd} 1\ufffd",reservation="",uuid="u-2"} 2`,
		`vlibos_domain_steal_seconds_total{name="evil\"\ufffd} 1\ufffd",reservation="",uuid="u-2"} 1`,
		`vlibos_domains 1003`,
		`vlibos_domain_overflow 746`,
	} {
		if !strings.Contains(text, "\n"+strings.ReplaceAll(want, `\ufffd`, "\ufffd")+"\n") {
			t.Errorf("there is no %s", want)
		}
	}
	if n := strings.Count(text, "\nvlibos_domain_cpu_seconds_total{"); n != mostUnreserved {
		t.Errorf("%d series of CPU time, want %d", n, mostUnreserved)
	}
}
