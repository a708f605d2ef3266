// SPDX-License-Identifier: Apache-2.0

package receipt

import (
	"errors"
	"os"

	"github.com/vlibos/vlibos/vlibcall"
)

// kinds are the ways in which a call can end, in the order of the file: the
// first that matches. The last one is for all others. Names are an interface:
// they do not change.
var kinds = [...]struct {
	name string
	err  error
}{
	{"protocol", vlibcall.ErrProtocol},
	{"reservation", vlibcall.ErrReservation},
	{"timeout", vlibcall.ErrTimeout},
	{"gone", vlibcall.ErrGone},
	{"no-library", vlibcall.ErrNoLibrary},
	{"no-function", vlibcall.ErrNoFunction},
	{"signature", vlibcall.ErrSignature},
	{"crashed", vlibcall.ErrCrashed},
	{"cancelled", vlibcall.ErrCancelled},
	{"too-large", vlibcall.ErrTooLarge},
	{"bad-request", vlibcall.ErrBadRequest},
	{"denied", vlibcall.ErrDenied},
	{"failed", vlibcall.ErrFailed},
	{"closed", os.ErrClosed},
	{"other", nil},
}

// kindOf is the index of an error in kinds.
func kindOf(err error) int {
	for i, k := range kinds[:len(kinds)-1] {
		if errors.Is(err, k.err) {
			return i
		}
	}
	return len(kinds) - 1
}
