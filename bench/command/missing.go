// SPDX-License-Identifier: Apache-2.0

package command

import (
	"fmt"
	"slices"
	"strings"

	"github.com/vlibos/vlibos/bench/experiment"
	"github.com/vlibos/vlibos/bench/tail"
)

// lack is something that the machine does not have, with the way out, and the
// experiments that need it.
type lack struct {
	err   error
	needs []string
}

// lacks is all that the machine does not have.
type lacks []lack

// list has a line for each.
func (l lacks) list() string {
	var b strings.Builder
	for _, one := range l {
		fmt.Fprintf(&b, "  %s: %v\n", strings.Join(one.needs, ", "), one.err)
	}
	return b.String()
}

// Error names the experiments; the command has already printed the list.
func (l lacks) Error() string {
	var all []string
	for _, one := range l {
		for _, name := range one.needs {
			if !slices.Contains(all, name) {
				all = append(all, name)
			}
		}
	}
	return "not measured, because of what is missing: " + strings.Join(all, ", ")
}

func (l lacks) Unwrap() (errs []error) {
	for _, one := range l {
		errs = append(errs, one.err)
	}
	return errs
}

// possible returns the chosen experiments that this machine can run, and what it
// lacks for the others. absent says why there is no service, if one was looked for.
func possible(chosen []experiment.Experiment, o experiment.Options, absent error) (can []experiment.Experiment, all lacks) {
	if absent != nil {
		o.Service = new(tail.Program) // said once, by absent
	}
	for _, e := range chosen {
		var missing []error
		if e.Needs != nil {
			missing = e.Needs(o)
		}
		if e.Name == experiment.Tail && absent != nil {
			missing = append(missing, absent)
		}
		if len(missing) == 0 {
			can = append(can, e)
		}
		for _, err := range missing {
			at := slices.IndexFunc(all, func(l lack) bool { return l.err.Error() == err.Error() })
			if at < 0 {
				at, all = len(all), append(all, lack{err: err})
			}
			all[at].needs = append(all[at].needs, e.Name)
		}
	}
	return can, all
}
