// SPDX-License-Identifier: Apache-2.0

package xen

import (
	"context"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"
	"time"

	"github.com/vlibos/vlibos/bench"
	"github.com/vlibos/vlibos/lab"
)

// Dom0StockArg makes this program, in the lab, call [Dom0Stock].
const Dom0StockArg = "stock-dom0"

// stocks are the boots in which the host stock keeps budgets. Credit is XCP-ng's scheduler.
var stocks = []struct{ scheduler, xen string }{
	{schedCredit2, lab.StockXen},
	{schedCredit, lab.StockXen},
	{schedRTDS, lab.VlibXen},
}

// stockRows are the measured reservations of a domain that spins.
var stockRows = []struct {
	budget, period time.Duration
	beside         bool // another domain spins on the same CPU
}{
	{10 * time.Millisecond, 100 * time.Millisecond, false},
	{10 * time.Millisecond, 100 * time.Millisecond, true},
	{40 * time.Millisecond, 100 * time.Millisecond, true},
	{5 * time.Millisecond, 50 * time.Millisecond, true},
	{2 * time.Millisecond, 20 * time.Millisecond, true},
	{time.Millisecond, 10 * time.Millisecond, true},
}

// stockWindow is how long each is measured.
const stockWindow = 5 * time.Second

// The samples of the rows, in per cent of the time.
const (
	sampleForeground = "foreground"
	sampleBackground = "background"
)

// Stock boots the lab once under each scheduler, has vlibmaster keep budgets
// without the module, and returns what a domain has of its budget and beyond. If
// only is not empty, it boots under these schedulers.
func Stock(ctx context.Context, o Options, only ...string) (records []bench.Record, err error) {
	images, err := o.images(ctx)
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, images.remove()) }()
	for _, c := range stocks {
		if len(only) > 0 && !slices.Contains(only, c.scheduler) {
			continue
		}
		s, machine, err := o.boot(ctx, images, lab.Config{
			Args: []string{self, Dom0StockArg}, Xen: c.xen, Scheduler: c.scheduler, DomUs: 2,
		})
		if err != nil {
			return records, fmt.Errorf("under %s: %w", c.scheduler, err)
		}
		rows, err := s.ofStock(c.scheduler, machine)
		if err != nil {
			return records, err
		}
		records = append(records, rows...)
	}
	return records, nil
}

// ofStock returns a record for each row. Its value is the part of the budget
// that was foreground.
func (s Samples) ofStock(scheduler, machine string) ([]bench.Record, error) {
	foreground, background := s[sampleForeground], s[sampleBackground]
	if len(foreground) != len(stockRows) || len(background) != len(stockRows) {
		return nil, fmt.Errorf("under %s: %d and %d samples, want %d", scheduler, len(foreground), len(background), len(stockRows))
	}
	var records []bench.Record
	for i, row := range stockRows {
		name := fmt.Sprintf("stock.%s.%v_%v", scheduler, row.budget, row.period)
		if !row.beside {
			name += "." + alone
		}
		budget := 100 * float64(row.budget) / float64(row.period)
		records = append(records, bench.Record{
			Name: name, Value: foreground[i] / budget, Unit: "of budget", Better: bench.Higher, Machine: machine + ", sched=" + scheduler,
			Raw: map[string]float64{
				"budget_ms": row.budget.Seconds() * 1000, "period_ms": row.period.Seconds() * 1000,
				"foreground_percent": foreground[i], "background_percent": background[i],
			},
		})
	}
	return records, nil
}

// StockTable writes the records of [Stock] as the table of docs.
func StockTable(w io.Writer, records []bench.Record) error {
	_, err := fmt.Fprint(w, "\n| scheduler | budget | period | foreground | background |\n|---|---|---|---|---|\n")
	for _, r := range records {
		scheduler := strings.Split(r.Name, ".")[1]
		if strings.HasSuffix(r.Name, alone) {
			scheduler += ", alone"
		}
		_, failed := fmt.Fprintf(w, "| %s | %v ms | %v ms | %.1f %% | %.1f %% |\n", scheduler,
			r.Raw["budget_ms"], r.Raw["period_ms"], r.Raw["foreground_percent"], r.Raw["background_percent"])
		err = errors.Join(err, failed)
	}
	return err
}
