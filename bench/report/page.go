// SPDX-License-Identifier: Apache-2.0

package report

import (
	"bytes"
	_ "embed" // for the page
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"html/template"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/vlibos/vlibos/bench"
)

//go:embed page.html
var pageText string

var page = template.Must(template.New("page").Funcs(template.FuncMap{
	"human":      human,
	"conclusion": conclusion,
	"faint":      func(r bench.Record) bool { return doubt(r) != "" },
}).Parse(pageText))

// File is the name of the page in the report's folder.
const File = "report.html"

// section is a figure with those of its records that exist.
type section struct {
	ID, Title, Paper string
	What, Commands   []string
	Said, Doubts     []string
	Charts           []drawing
	Records          []bench.Record
	Raw              template.URL
}

// Write makes the folder dir with the page and, beside it, the records. It
// returns the page's path.
func Write(dir string, all []bench.Record) (string, error) {
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return "", err
	}
	var out bytes.Buffer
	if err := HTML(&out, all, time.Now()); err != nil {
		return "", err
	}
	file := filepath.Join(dir, File)
	return file, os.WriteFile(file, out.Bytes(), 0o644)
}

// HTML writes the page of all records.
func HTML(w io.Writer, all []bench.Record, now time.Time) error {
	if len(all) == 0 {
		return errors.New("there are no records: run an experiment first, see vlibmaster bench --help")
	}
	sections, rest, err := sort(all)
	if err != nil {
		return err
	}
	raw, err := link(all)
	if err != nil {
		return err
	}
	return page.Execute(w, map[string]any{
		"Sections": sections, "Rest": rest, "RestDoubts": doubts(rest), "Missing": slices.DeleteFunc(slices.Clone(sections), func(s section) bool { return len(s.Records) > 0 }), "Machines": machines(all), "Versions": versions(all), "Brief": brief(all),
		"Now": now.UTC().Format("2006-01-02 15:04 UTC"), "Count": len(all), "Raw": raw,
		"Xen": slices.ContainsFunc(all, onXen), "Here": slices.ContainsFunc(all, func(r bench.Record) bool { return !onXen(r) }),
	})
}

// onXen reports whether a record was measured on Xen: its machine says so.
func onXen(r bench.Record) bool { return strings.HasPrefix(r.Machine, "Xen ") }

// sort gives each figure its records. rest are those of no figure.
func sort(all []bench.Record) (sections []section, rest []bench.Record, err error) {
	whole := index(all)
	used := make(map[string]bool)
	for _, f := range figures {
		r := whole.of(f)
		s := section{ID: f.id, Title: f.title, Paper: f.paper, What: slices.Clone(f.what), Commands: f.commands, Records: r.all, Doubts: doubts(r.all), Charts: f.draw(r)}
		for _, p := range f.only {
			if r.under(p.of) {
				s.What = append(s.What, p.text)
			}
		}
		if s.Raw, err = link(r.all); err != nil {
			return nil, nil, err
		}
		for _, one := range r.all {
			used[one.Name] = true
		}
		// Sentences are conclusions. A chart is one if sound records alone make it.
		sure := sound(r.all)
		if f.said != nil {
			s.Said = f.said(sure)
		}
		solid := make(map[string]drawing)
		for _, d := range f.draw(sure) {
			solid[d.ID] = d
		}
		for i, d := range s.Charts {
			s.Charts[i].Faint = !d.equal(solid[d.ID])
		}
		sections = append(sections, s)
	}
	for _, one := range all {
		if !used[one.Name] {
			rest = append(rest, one)
		}
	}
	return sections, rest, nil
}

// link makes a link whose address contains the records.
func link(records []bench.Record) (template.URL, error) {
	var lines bytes.Buffer
	for _, r := range records {
		line, err := json.Marshal(r)
		if err != nil {
			return "", fmt.Errorf("record %s: %w", r.Name, err)
		}
		lines.Write(append(line, '\n'))
	}
	return template.URL("data:application/x-ndjson;base64," + base64.StdEncoding.EncodeToString(lines.Bytes())), nil
}

// machines returns the machines of the records, in the order of the records.
func machines(all []bench.Record) []string {
	return distinct(all, func(r bench.Record) string { return r.Machine })
}

func versions(all []bench.Record) []string {
	return distinct(all, func(r bench.Record) string { return r.Version })
}

func distinct(all []bench.Record, of func(bench.Record) string) (found []string) {
	for _, r := range all {
		if v := of(r); v != "" && !slices.Contains(found, v) {
			found = append(found, v)
		}
	}
	return found
}
