// SPDX-License-Identifier: Apache-2.0

package builtin

import (
	"encoding/json"
	"fmt"
)

// An Outcome is how a command ended, and its output.
type Outcome struct {
	ExitStatus int
	Signal     int  // that ended the command; 0: it ended by itself
	TimedOut   bool // its time was over

	Stdout, Stderr                   []byte
	StdoutTruncated, StderrTruncated bool // there was more
}

// MaxOutcomeOverhead is the largest size of an encoded outcome without its
// output, in bytes.
const MaxOutcomeOverhead = 256

type outcomeHeader struct {
	ExitStatus      int  `json:"exit_status"`
	Signal          int  `json:"signal,omitempty"`
	TimedOut        bool `json:"timed_out,omitempty"`
	Stdout          int  `json:"stdout"`
	Stderr          int  `json:"stderr"`
	StdoutTruncated bool `json:"stdout_truncated,omitempty"`
	StderrTruncated bool `json:"stderr_truncated,omitempty"`
}

// ShellStatus is the exit status by which a shell reports the outcome: 128+N
// after signal N.
func (o *Outcome) ShellStatus() int {
	if o.Signal != 0 {
		return 128 + o.Signal
	}
	return o.ExitStatus
}

// Append appends the encoded outcome to dst.
func (o *Outcome) Append(dst []byte) ([]byte, error) {
	b, err := appendFrame(dst, outcomeHeader{
		o.ExitStatus, o.Signal, o.TimedOut, len(o.Stdout), len(o.Stderr), o.StdoutTruncated, o.StderrTruncated,
	}, o.Stdout, o.Stderr)
	if err != nil {
		return nil, fmt.Errorf("encode outcome: %w", err)
	}
	return b, nil
}

// Decode reads an encoded outcome, even from a hostile server. Stdout and
// Stderr are parts of b.
func (o *Outcome) Decode(b []byte) error {
	header, rest, err := splitFrame(b)
	if err != nil {
		return fmt.Errorf("decode outcome: %w", err)
	}
	var h outcomeHeader
	if err := json.Unmarshal(header, &h); err != nil {
		return fmt.Errorf("decode outcome: %w", err)
	}
	switch {
	case h.ExitStatus < 0 || h.ExitStatus > 255:
		return fmt.Errorf("decode outcome: exit status %d", h.ExitStatus)
	case h.Signal < 0 || h.Signal > 127:
		return fmt.Errorf("decode outcome: signal %d", h.Signal)
	case h.Stdout < 0 || h.Stderr < 0 || h.Stdout > len(rest) || h.Stderr != len(rest)-h.Stdout:
		return fmt.Errorf("decode outcome: %d and %d bytes of output in %d", h.Stdout, h.Stderr, len(rest))
	}
	*o = Outcome{
		ExitStatus: h.ExitStatus, Signal: h.Signal, TimedOut: h.TimedOut,
		Stdout: rest[:h.Stdout:h.Stdout], Stderr: rest[h.Stdout:],
		StdoutTruncated: h.StdoutTruncated, StderrTruncated: h.StderrTruncated,
	}
	return nil
}
