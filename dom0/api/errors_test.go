// SPDX-License-Identifier: Apache-2.0

package api

import (
	"errors"
	"fmt"
	"io"
	"testing"
)

func TestErrorsKeepTheirIdentityOnTheWay(t *testing.T) {
	for _, k := range kinds {
		sent := fmt.Errorf("adopt web: %w", k.err)
		f, status := FailureOf(sent)
		if got := f.Err(); !errors.Is(got, k.err) || got.Error() != sent.Error() || status != k.status {
			t.Errorf("%v became %v with status %d", sent, got, status)
		}
	}
	f, status := FailureOf(io.EOF)
	if got := f.Err(); got.Error() != "EOF" || errors.Unwrap(got) != nil || status != 500 {
		t.Errorf("another error became %v with status %d", got, status)
	}
}
