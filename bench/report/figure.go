// SPDX-License-Identifier: Apache-2.0

package report

import (
	"slices"
	"strings"

	"github.com/vlibos/vlibos/bench"
)

// figure is one claim with its evidence.
type figure struct {
	id    string
	title string
	// what says what was done and what it means, in paragraphs for a newcomer.
	what []string
	// only has paragraphs about some of the records.
	only []paragraph
	// paper says what the paper has about it, and where.
	paper string
	// commands repeat the measurement.
	commands []string
	// area has the beginnings of the names of the figure's records.
	area []string
	// draw makes the charts from those of its records that exist.
	draw func(records) []drawing
	// said makes sentences with the figures in them.
	said func(records) []string
}

// paragraph is shown if the name of a record begins with of.
type paragraph struct{ of, text string }

// records are by name, in the order of the file.
type records struct {
	all    []bench.Record
	byName map[string]bench.Record
}

func index(all []bench.Record) records {
	r := records{all, make(map[string]bench.Record)}
	for _, one := range all {
		r.byName[one.Name] = one
	}
	return r
}

// of returns the records of a figure.
func (r records) of(f figure) records {
	return index(slices.DeleteFunc(slices.Clone(r.all), func(one bench.Record) bool { return about(one.Name) != f.id }))
}

// about returns which figure a record belongs to: the one with the longest area
// that the record's name begins with, or "".
func about(name string) (id string) {
	longest := 0
	for _, f := range figures {
		for _, a := range f.area {
			if (name == a || strings.HasPrefix(name, a+".")) && len(a) > longest {
				id, longest = f.id, len(a)
			}
		}
	}
	return id
}

// under reports whether a record's name begins with an area.
func (r records) under(area string) bool {
	return slices.ContainsFunc(r.all, func(one bench.Record) bool { return strings.HasPrefix(one.Name, area) })
}

// raw returns a raw number of a record; ok is false if there is none.
func (r records) raw(record, name string) (float64, bool) {
	v, ok := r.byName[record].Raw[name]
	return v, ok
}

// number is a raw number with the label of its bar.
type number struct{ label, record, raw, class string }

// values returns the bars of those numbers that exist.
func (r records) values(unit string, all []number) (values []value) {
	for _, b := range all {
		if v, ok := r.raw(b.record, b.raw); ok {
			values = append(values, value{name: b.label, v: v, class: b.class, unit: unit})
		}
	}
	return values
}

// figures are in the order of the page.
var figures = []figure{overhead, mjump, policies, lidar, tails, service, sched, module}
