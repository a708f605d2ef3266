// SPDX-License-Identifier: Apache-2.0

package metrics

import (
	"errors"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"regexp"
	"strings"
	"testing"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/testutil"
)

func TestLastReloadIsShown(t *testing.T) {
	r := NewReloads()
	h := Handler(source(t), build, slog.New(slog.DiscardHandler), r)
	scrape := func() string {
		w := httptest.NewRecorder()
		h.ServeHTTP(w, httptest.NewRequest("GET", Path, nil))
		return w.Body.String()
	}
	at := func() string {
		return regexp.MustCompile(`(?m)^vlibos_config_last_reload_success_timestamp_seconds .*$`).FindString(scrape())
	}
	r.Done(nil)
	taken := at()
	if !strings.Contains(scrape(), "\nvlibos_config_last_reload_successful 1\n") || strings.HasSuffix(taken, " 0") {
		t.Errorf("taken: %s", taken)
	}
	r.Done(errors.New("line 3"))
	if !strings.Contains(scrape(), "\nvlibos_config_last_reload_successful 0\n") || at() != taken {
		t.Errorf("not taken: %s, was %s", at(), taken)
	}
	registry := prometheus.NewPedanticRegistry()
	registry.MustRegister(r)
	if problems, err := testutil.GatherAndLint(registry); err != nil || len(problems) > 0 {
		t.Errorf("%v, %v", problems, err)
	}
}

// A browser at the bare address shows the way to the metrics.
func TestIndexLinksToTheMetrics(t *testing.T) {
	mux := http.NewServeMux()
	mux.HandleFunc(IndexPattern, Index)
	for path, want := range map[string]int{"/": 200, "/x": 404} {
		w := httptest.NewRecorder()
		mux.ServeHTTP(w, httptest.NewRequest("GET", path, nil))
		if w.Code != want || want == 200 && !strings.Contains(w.Body.String(), `<a href="/metrics">`) {
			t.Errorf("%s: %d %s", path, w.Code, w.Body)
		}
	}
}
