// SPDX-License-Identifier: Apache-2.0

package xapi_test

import (
	"context"
	"io"
	"log/slog"
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

// The fake XAPI is understood by a client that others wrote, and its changes arrive here.
func TestIndependentClientUnderstandsTheFake(t *testing.T) {
	dir := independent(t)
	x := xapitest.New()
	x.Plain = true
	x.Add(xapitest.VM{UUID: web, Name: "web", Power: "Running", Domid: 5, Host: xapitest.HostRef})
	s := httptest.NewServer(x)
	defer s.Close()
	p := follow(t, x, slog.New(slog.NewTextHandler(io.Discard, nil)))
	named(t, p, web, "web")

	script, err := os.ReadFile("testdata/independent.mjs")
	if err != nil {
		t.Fatal(err)
	}
	// node looks for packages above the script.
	file := filepath.Join(dir, "independent.mjs")
	if err := os.WriteFile(file, script, 0o644); err != nil {
		t.Fatal(err)
	}
	c := exec.Command("node", file, s.URL, web)
	var out, problems strings.Builder
	c.Stdout, c.Stderr = &out, &problems
	if err := c.Start(); err != nil {
		t.Fatal(err)
	}
	ended := make(chan error, 1)
	go func() { ended <- c.Wait() }()
	testkit.Eventually(t, "the client's budget arrives", func() bool { return p.VM(web).Asked["budget"] == "10ms" || len(ended) > 0 })
	if err := p.Set(t.Context(), p.VM(web), "status", "seen"); err != nil {
		t.Error(err)
	}
	if err := <-ended; err != nil {
		t.Fatalf("%v\n%s%s", err, &out, &problems)
	}
	if want := "name web\nrefused MAP_DUPLICATE_KEY\nstatus seen\n"; out.String() != want {
		t.Errorf("it said %q, want %q\n%s", &out, want, &problems)
	}
}
