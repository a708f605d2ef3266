// SPDX-License-Identifier: Apache-2.0

//go:build browser

package report

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"html"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/vlibos/vlibos/bench"
)

// probe is a script that the test adds to the page. It reports to the frame's parent
// what the browser has drawn of each figure, where, and what the page loaded.
const probe = `<script>
addEventListener("load", () => {
	for (const d of document.querySelectorAll("details")) d.open = true;
	const figures = {}, small = [], wide = [];
	for (const figure of document.querySelectorAll("figure")) {
		const svg = [...figure.querySelectorAll("svg")].filter(s => s.getBoundingClientRect().width > 0);
		const box = svg[0].getBoundingClientRect(), title = figure.querySelector("figcaption b");
		let marks = 0;
		for (const e of svg[0].querySelectorAll(".data")) {
			const b = e.getBoundingClientRect(), style = getComputedStyle(e);
			const inside = b.left >= box.left - 1 && b.right <= box.right + 1 && b.top >= box.top - 1 && b.bottom <= box.bottom + 1;
			const painted = e.classList.contains("fill") ? style.fill : style.stroke;
			if (inside && (b.width > 0 || b.height > 0) && painted !== "none") marks++;
		}
		const texts = [...svg[0].querySelectorAll("text")].map(e => [e.textContent, e.getBoundingClientRect()]);
		const cut = texts.filter(([, b]) => b.left < box.left - 1 || b.right > box.right + 1 || b.top < box.top - 1 || b.bottom > box.bottom + 1);
		const over = texts.filter(([, a], i) => texts.slice(i + 1).some(([, b]) =>
			a.left < b.right - 1 && b.left < a.right - 1 && a.top < b.bottom - 4 && b.top < a.bottom - 4));
		figures[svg[0].dataset.figure] = {
			drawn: svg.length, width: box.width, height: box.height, marks, cut: cut.map(t => t[0]), over: over.map(t => t[0]),
			title: title && title.getBoundingClientRect().height > 0 ? title.textContent : "",
			opacity: +getComputedStyle(figure).opacity,
		};
	}
	for (const e of document.body.querySelectorAll("*")) {
		const b = e.getBoundingClientRect();
		if (b.width === 0) continue;
		const name = e.tagName + " " + e.textContent.slice(0, 60);
		if (b.right > innerWidth + 1 || b.left < -1) wide.push(name);
		const svg = e.ownerSVGElement;
		const scale = svg ? svg.getBoundingClientRect().width / svg.viewBox.baseVal.width : 1;
		const own = [...e.childNodes].some(n => n.nodeType === 3 && n.textContent.trim());
		const size = parseFloat(getComputedStyle(e).fontSize) * scale;
		if (own && size < 11) small.push(name + ": " + size + " px");
	}
	for (const d of document.querySelectorAll("details")) d.open = false;
	parent.postMessage({ figures, small, wide, scrolls: document.documentElement.scrollWidth > innerWidth,
		height: document.documentElement.scrollHeight, loaded: performance.getEntriesByType("resource").length }, "*");
});
</script></body>`

// frame shows the page in a frame: the browser's own window cannot be as narrow as a
// telephone's. It notes what the probe reports.
const frame = `<!DOCTYPE html><body style="margin:0"><iframe src="report.html" style="border:0;display:block;width:%dpx;height:%dpx"></iframe>
<pre id="probe" hidden></pre><script>addEventListener("message", e => document.getElementById("probe").textContent = JSON.stringify(e.data))</script></body>`

type probed struct {
	Figures map[string]struct {
		Drawn                  int
		Width, Height, Opacity float64
		Marks                  int
		Cut, Over              []string
		Title                  string
	}
	Small, Wide    []string
	Scrolls        bool
	Height, Loaded int
}

// highest is the height of the highest picture that the browser makes, in pixels.
const highest = 16000

// A real browser draws all marks of every figure at the width of a desk and of a
// telephone, with text that can be read, and loads nothing else. The pictures of the
// whole page are in out/browser.
func TestBrowserDrawsEveryFigure(t *testing.T) {
	path, err := exec.LookPath("chromium")
	if err != nil {
		t.Fatalf("%v: 'make test SUITE=browser' installs it", err)
	}
	pictures, err := filepath.Abs("../../out/browser")
	if err != nil {
		t.Fatal(err)
	}
	if err := os.MkdirAll(pictures, 0o755); err != nil {
		t.Fatal(err)
	}
	all := complete()
	for i, r := range all {
		if strings.HasPrefix(r.Name, "lidar.") {
			all[i] = bench.Noise{Compute: 50}.Note(r)
		}
	}
	page := bytes.Replace([]byte(pageOf(t, all)), []byte("</body>"), []byte(probe), 1)
	for _, width := range []int{400, 900} {
		t.Run(fmt.Sprint(width), func(t *testing.T) {
			dir := t.TempDir()
			if err := os.WriteFile(filepath.Join(dir, "report.html"), page, 0o644); err != nil {
				t.Fatal(err)
			}
			show := func(height int, args ...string) []byte {
				file := filepath.Join(dir, "frame.html")
				if err := os.WriteFile(file, fmt.Appendf(nil, frame, width, height), 0o644); err != nil {
					t.Fatal(err)
				}
				return chromium(t, path, append(args, fmt.Sprintf("--window-size=%d,%d", max(width, 500), height), "file://"+file)...)
			}
			dom := show(1000, "--dump-dom")
			m := regexp.MustCompile(`(?s)<pre id="probe"[^>]*>(.+?)</pre>`).FindSubmatch(dom)
			if m == nil {
				t.Fatalf("the page did not load:\n%.2000s", dom)
			}
			var got probed
			if err := json.Unmarshal([]byte(html.UnescapeString(string(m[1]))), &got); err != nil {
				t.Fatal(err)
			}
			check(t, got)
			show(min(got.Height, highest), "--screenshot="+filepath.Join(pictures, fmt.Sprintf("%d.png", width)))
		})
	}
}

// check compares what the browser drew with the figures of [complete].
func check(t *testing.T, got probed) {
	t.Helper()
	for id, n := range marks {
		f, ok := got.Figures[id]
		if !ok || f.Drawn != 1 || f.Width < 300 || f.Height < 60 || f.Marks != n || len(f.Cut) > 0 || len(f.Over) > 0 || f.Title == "" {
			t.Errorf("figure %s: %+v, want it once, with a title, %d marks, all inside, and no text cut off or over another", id, f, n)
		}
		if faint := strings.HasPrefix(id, "lidar"); faint != (f.Opacity < 1) {
			t.Errorf("figure %s: opacity %v, and faint is %v", id, f.Opacity, faint)
		}
	}
	if len(got.Figures) != len(marks) {
		t.Errorf("%d figures, want %d", len(got.Figures), len(marks))
	}
	if len(got.Small) > 0 || len(got.Wide) > 0 || got.Scrolls {
		t.Errorf("too small to read: %q; wider than the window: %q; the page scrolls sideways: %v", got.Small, got.Wide, got.Scrolls)
	}
	if got.Loaded != 0 {
		t.Errorf("the page loads %d other things", got.Loaded)
	}
}

func chromium(t *testing.T, path string, args ...string) []byte {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 3*time.Minute)
	defer cancel()
	// The browser's sandbox does not work for root. The page is trusted.
	cmd := exec.CommandContext(ctx, path, append([]string{"--headless", "--no-sandbox", "--disable-gpu", "--hide-scrollbars",
		"--user-data-dir=" + t.TempDir(), "--host-resolver-rules=MAP * ~NOTFOUND", "--virtual-time-budget=10000"}, args...)...)
	var stderr bytes.Buffer
	cmd.Stderr = &stderr
	out, err := cmd.Output()
	if err != nil {
		t.Fatalf("%v: %s", err, &stderr)
	}
	return out
}
