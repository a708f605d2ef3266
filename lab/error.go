// SPDX-License-Identifier: Apache-2.0

package lab

import (
	"errors"
	"fmt"
	"strings"
)

// ErrTimeout says that [Config.Timeout] ended before the command did.
var ErrTimeout = errors.New("timeout")

// Error is a run in which the lab, not the command, failed: it did not boot, it died,
// or its time ended.
type Error struct {
	// Awaited is what should have happened next.
	Awaited string
	Err     error
	// Console has the last lines of Xen's and Dom0's console.
	Console []string
	// Logs are the ends of the DomUs' consoles by name, as far as they are
	// available.
	Logs []Log
}

// Log is a DomU's console.
type Log struct{ Name, Text string }

func (e *Error) Error() string { return fmt.Sprintf("%v (awaited: %s)", e.Err, e.Awaited) }

// Unwrap returns the cause.
func (e *Error) Unwrap() error { return e.Err }

// Report returns the consoles as text with headings, for the person who looks for the
// cause.
func (e *Error) Report() string {
	var b strings.Builder
	if len(e.Console) > 0 {
		fmt.Fprintf(&b, "--- last lines of the Xen and Dom0 console\n%s\n", strings.Join(e.Console, "\n"))
	}
	b.WriteString(ReportLogs(e.Logs))
	return b.String()
}

// ReportLogs returns the DomUs' consoles as text with headings.
func ReportLogs(logs []Log) string {
	var b strings.Builder
	for _, l := range logs {
		fmt.Fprintf(&b, "--- console of %s\n%s\n", l.Name, strings.TrimRight(strings.ReplaceAll(l.Text, "\r", ""), "\n"))
	}
	return b.String()
}
