// SPDX-License-Identifier: Apache-2.0

package master

import (
	"context"
	"fmt"
	"slices"
	"strings"
)

// Class of an adopted domain: whether it gives up background time when memory
// is slow for others. Its reservation is its own in either.
type Class string

// The classes. A domain of which nothing was said is Batch.
const (
	Batch    Class = "batch"    // the throttle takes its background time
	Critical Class = "critical" // the throttle spares it
)

// Classes there are, for messages and help.
var Classes = []string{string(Batch), string(Critical)}

// Check reports a name that is no class; none at all is one.
func (c Class) Check() error {
	if c != "" && !slices.Contains(Classes, string(c)) {
		return fmt.Errorf("class %.80q: %w: there are %s", string(c), ErrClass, strings.Join(Classes, ", "))
	}
	return nil
}

// start has the host run a domain as was decided. Where nothing is
// throttled there is nobody to spare.
func (m *Master) start(ctx context.Context, a *adoption) error {
	return m.host.Reserve(ctx, ofDomain(a.domain, a.task(), a.Class))
}
