// SPDX-License-Identifier: Apache-2.0

package selftest

import (
	"errors"
	"fmt"
	"time"
)

// Verdict is what a part found.
type Verdict string

// The verdicts.
const (
	Passed     Verdict = "passed"
	Failed     Verdict = "failed"
	Impossible Verdict = "not possible here"
)

// Result is what a part found, and the figures from which it follows. The name of
// each figure ends in its unit.
type Result struct {
	Part    string             `json:"part"`
	Verdict Verdict            `json:"verdict"`
	Reason  string             `json:"reason"`
	Figures map[string]float64 `json:"figures,omitempty"`
}

// Report is the file to send. It has no names of this host, of its domains or of its
// users, and no addresses.
type Report struct {
	Vlibmaster string   `json:"vlibmaster"` // version
	Kernel     string   `json:"kernel"`
	CPU        string   `json:"cpu"`
	CPUs       int      `json:"cpus"`
	Host       string   `json:"host"`
	Xen        string   `json:"xen,omitempty"` // version
	Scheduler  string   `json:"scheduler,omitempty"`
	Module     string   `json:"module,omitempty"` // revision
	Results    []Result `json:"results"`
	// Left says what could not be undone.
	Left string `json:"left,omitempty"`
}

// ErrFailed reports that a part failed.
var ErrFailed = errors.New("this host did not do what it should")

// Err is ErrFailed if a part failed, or if something is left. A part that is not
// possible is no failure.
func (r Report) Err() error {
	if r.Left != "" {
		return fmt.Errorf("%w: not all is undone: %s", ErrFailed, r.Left)
	}
	for _, p := range r.Results {
		if p.Verdict == Failed {
			return fmt.Errorf("%w: %s: %s", ErrFailed, p.Part, p.Reason)
		}
	}
	return nil
}

// impossibleError is the reason why a part cannot be tried here.
type impossibleError struct{ error }

func (e impossibleError) Unwrap() error { return e.error }

func impossible(format string, args ...any) error {
	return impossibleError{fmt.Errorf(format, args...)}
}

// result turns a part's outcome into its result. An error that is not
// [impossible] is a failure: the host could be tried, and did something else.
func result(part string, judged Result, err error) Result {
	judged.Part = part
	if err == nil {
		return judged
	}
	judged.Verdict, judged.Reason = Failed, err.Error()
	if errors.As(err, new(impossibleError)) {
		judged.Verdict = Impossible
	}
	return judged
}

func ms(d time.Duration) float64 { return float64(d) / float64(time.Millisecond) }
