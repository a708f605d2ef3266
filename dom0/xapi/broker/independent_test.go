// SPDX-License-Identifier: Apache-2.0

package broker

import (
	"context"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/vlibos/vlibos/dom0/xapi/xapitest"
	"github.com/vlibos/vlibos/internal/testkit"
)

// independentClient is a client of XAPI that others wrote, for Xen Orchestra.
const independentClient = "xen-api@4.7.6"

// independent installs the client below the cache folder, and returns a folder from
// which node finds it. It skips the test where node or npm's registry cannot be had.
func independent(t *testing.T) string {
	t.Helper()
	for _, program := range []string{"node", "npm"} {
		if _, err := exec.LookPath(program); err != nil {
			t.Skipf("no independent client of XAPI: %v (apt install nodejs npm)", err)
		}
	}
	cache, err := os.UserCacheDir()
	if err != nil {
		t.Fatal(err)
	}
	dir := filepath.Join(cache, "vlibos", "npm", independentClient)
	if _, err := os.Stat(filepath.Join(dir, "complete")); err == nil {
		return dir
	}
	if err := os.MkdirAll(dir, 0o755); err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(t.Context(), 2*time.Minute)
	defer cancel()
	out, err := exec.CommandContext(ctx, "npm", "install", "--prefix", dir, "--ignore-scripts", "--no-audit", "--no-fund", independentClient).CombinedOutput()
	if err != nil {
		t.Skipf("no independent client of XAPI: npm cannot install %s: %v: %.300s", independentClient, err, out)
	}
	if err := os.WriteFile(filepath.Join(dir, "complete"), nil, 0o644); err != nil {
		t.Fatal(err)
	}
	return dir
}

// A VM's budget is set by a client that others wrote, which reads the answer of the master.
func TestIndependentClientSetsABudgetAndReadsTheAnswer(t *testing.T) {
	dir := independent(t)
	x := xapitest.New()
	x.Plain = true
	s := newSiteOf(t, x)
	s.ask(web, "period=100ms")
	server := httptest.NewServer(x)
	defer server.Close()
	script, err := os.ReadFile("testdata/independent.mjs")
	if err != nil {
		t.Fatal(err)
	}
	// node looks for packages above the script.
	file := filepath.Join(dir, "independent.mjs")
	if err := os.WriteFile(file, script, 0o644); err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(t.Context(), testkit.Patience)
	defer cancel()
	out, err := exec.CommandContext(ctx, "node", file, server.URL, web).Output()
	want := "name web\nrefused MAP_DUPLICATE_KEY\nstatus " + s.name + "in force: 10ms in every 100ms, domain 5"
	got, by := unmarked(strings.TrimSpace(string(out)))
	if err != nil || got != want || by != xapitest.Host {
		t.Errorf("%v: it said %q, want %q", err, out, want)
	}
	if s.host.budget("5") != 10*ms {
		t.Errorf("the domain has %v", s.host.budget("5"))
	}
}
