// SPDX-License-Identifier: Apache-2.0

package evtchn

import (
	"errors"
	"io/fs"
	"os"
	"strings"
	"testing"
)

func TestOpenWithoutXenSaysWhatIsMissing(t *testing.T) {
	if _, err := os.Stat(devicePath); err == nil {
		t.Skip("this is a Xen domain; the lab tests cover it")
	}
	_, err := Open()
	var op *OpError
	if !errors.As(err, &op) || !errors.Is(err, fs.ErrNotExist) {
		t.Fatalf("error %v is not an OpError with fs.ErrNotExist", err)
	}
	if !strings.Contains(err.Error(), "xen-evtchn") {
		t.Errorf("error %q does not name the module", err)
	}
}
