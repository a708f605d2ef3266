// SPDX-License-Identifier: Apache-2.0

// Package decision records how many instructions a decision of the scheduler
// takes. They are counted in its code alone, outside Xen (hypervisor/test).
package decision

import (
	"bufio"
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math"

	"github.com/vlibos/vlibos/bench"
)

// count is one line that `make -C hypervisor/test decision` prints.
type count struct {
	Reservations float64 `json:"reservations"`
	Instructions float64 `json:"instructions"`
}

// Records reads the counts, smallest first, from the lines of JSON in r; it
// skips other lines. It returns one record for each size, and one of the growth
// over all sizes, whose target is that of a logarithm.
func Records(r io.Reader) (records []bench.Record, err error) {
	var all []count
	lines := bufio.NewScanner(r)
	for lines.Scan() {
		line := bytes.TrimSpace(lines.Bytes())
		if !bytes.HasPrefix(line, []byte("{")) {
			continue
		}
		var c count
		if err := json.Unmarshal(line, &c); err != nil {
			return nil, fmt.Errorf("count of a decision, %q: %w", line, err)
		}
		all = append(all, c)
		records = append(records, bench.Record{
			Name: fmt.Sprintf("module.decision.%v", c.Reservations), Value: c.Instructions, Unit: "instructions", Better: bench.Lower,
			Raw: map[string]float64{"reservations": c.Reservations},
		})
	}
	if err := lines.Err(); err != nil {
		return nil, err
	}
	if len(all) < 2 {
		return nil, errors.New("found fewer than two counts of decisions: run `make -C hypervisor/test decision`")
	}
	first, last := all[0], all[len(all)-1]
	return append(records, bench.Record{
		Name: "module.decision.growth", Value: last.Instructions / first.Instructions, Unit: "ratio",
		Target: bench.Goal(math.Log2(last.Reservations) / math.Log2(first.Reservations)), Better: bench.Lower,
		Raw: map[string]float64{"reservations": last.Reservations, "of_reservations": first.Reservations,
			"instructions": last.Instructions, "of_instructions": first.Instructions},
	}), nil
}
