// SPDX-License-Identifier: Apache-2.0

package grant

import (
	"errors"
	"fmt"
)

// ErrLimit is wrapped by every [LimitError].
var ErrLimit = errors.New("over the limit")

// OpError is the error of every operation of this package. It wraps
// [os.ErrClosed] for a closed device, a [RefError] for a page that Xen refuses,
// a [LimitError] for a kernel module's limit, and a unix.Errno for everything
// else.
type OpError struct {
	// Op is the operation, for example "map 4 pages of domain 3".
	Op string
	// Err is the reason.
	Err error
}

func (e *OpError) Error() string { return "grant: " + e.Op + ": " + e.Err.Error() }

// Unwrap returns the reason.
func (e *OpError) Unwrap() error { return e.Err }

// RefError reports that Xen refused one grant reference.
type RefError struct {
	Domain uint16
	Ref    uint32
	Status Status
}

func (e *RefError) Error() string {
	return fmt.Sprintf("grant reference %d of domain %d: %v", e.Ref, e.Domain, e.Status)
}

// LimitError reports that a kernel module's limit refused a request, and which
// parameter raises the limit. errors.Is(err, ErrLimit) holds.
type LimitError struct {
	// Parameter is the file that shows the limit, and sets it where it is
	// writable.
	Parameter string
	// Limit is its value in pages; 0 when it could not be read.
	Limit uint64
	// Wanted is the number of pages requested.
	Wanted int
	// Hint is another possible reason; empty when there is none.
	Hint string
}

func (e *LimitError) Error() string {
	s := fmt.Sprintf("%d pages: %v %d in %s: write a larger number there", e.Wanted, ErrLimit, e.Limit, e.Parameter)
	if e.Hint != "" {
		s += ", " + e.Hint
	}
	return s
}

// Unwrap returns [ErrLimit].
func (e *LimitError) Unwrap() error { return ErrLimit }
