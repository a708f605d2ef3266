// SPDX-License-Identifier: Apache-2.0

//go:build browser

package report

import (
	"bytes"
	"context"
	"encoding/json"
	"html"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"testing"
	"time"
)

// probe is a script that the test adds to the page. It reports what the browser
// has drawn of each figure, where, and what the page loaded.
const probe = `<script>
addEventListener("load", () => {
	const figures = {};
	for (const svg of document.querySelectorAll("svg[data-figure]")) {
		const box = svg.getBoundingClientRect();
		let marks = 0;
		for (const e of svg.querySelectorAll(".data")) {
			const b = e.getBoundingClientRect(), style = getComputedStyle(e);
			const inside = b.left >= box.left - 1 && b.right <= box.right + 1 && b.top >= box.top - 1 && b.bottom <= box.bottom + 1;
			const painted = e.classList.contains("fill") ? style.fill : style.stroke;
			if (inside && (b.width > 0 || b.height > 0) && painted !== "none") marks++;
		}
		let cut = 0;
		for (const e of svg.querySelectorAll("text")) {
			const b = e.getBoundingClientRect();
			if (b.left < box.left - 1 || b.right > box.right + 1 || b.bottom > box.bottom + 1) cut++;
		}
		figures[svg.dataset.figure] = { width: box.width, height: box.height, marks, cut };
	}
	const out = document.createElement("pre");
	out.id = "probe";
	out.textContent = JSON.stringify({ figures, loaded: performance.getEntriesByType("resource").length });
	document.body.append(out);
});
</script></body>`

type probed struct {
	Figures map[string]struct {
		Width, Height float64
		Marks, Cut    int
	}
	Loaded int
}

// A real browser draws all marks of every figure, and loads nothing else.
func TestBrowserDrawsEveryFigure(t *testing.T) {
	path, err := exec.LookPath("chromium")
	if err != nil {
		t.Fatalf("%v: 'make test SUITE=browser' installs it", err)
	}
	page := pageOf(t, complete())
	file := filepath.Join(t.TempDir(), "report.html")
	if err := os.WriteFile(file, bytes.Replace([]byte(page), []byte("</body>"), []byte(probe), 1), 0o644); err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(t.Context(), 3*time.Minute)
	defer cancel()
	// The browser's sandbox does not work for root. The page is trusted.
	cmd := exec.CommandContext(ctx, path, "--headless", "--no-sandbox", "--disable-gpu", "--window-size=900,1200",
		"--user-data-dir="+t.TempDir(), "--host-resolver-rules=MAP * ~NOTFOUND", "--virtual-time-budget=10000", "--dump-dom", "file://"+file)
	var stderr bytes.Buffer
	cmd.Stderr = &stderr
	dom, err := cmd.Output()
	if err != nil {
		t.Fatalf("%v: %s", err, &stderr)
	}
	m := regexp.MustCompile(`(?s)<pre id="probe">(.*?)</pre>`).FindSubmatch(dom)
	if m == nil {
		t.Fatalf("the page did not load:\n%.2000s", dom)
	}
	var got probed
	if err := json.Unmarshal([]byte(html.UnescapeString(string(m[1]))), &got); err != nil {
		t.Fatal(err)
	}
	for id, n := range marks {
		f, ok := got.Figures[id]
		if !ok || f.Width < 300 || f.Height < 60 || f.Marks != n || f.Cut != 0 {
			t.Errorf("figure %s: %+v, want %d marks, all inside, and no text cut off", id, f, n)
		}
	}
	if len(got.Figures) != len(marks) {
		t.Errorf("%d figures, want %d", len(got.Figures), len(marks))
	}
	if got.Loaded != 0 {
		t.Errorf("the page loads %d other things", got.Loaded)
	}
}
