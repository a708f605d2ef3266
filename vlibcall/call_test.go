// SPDX-License-Identifier: Apache-2.0

package vlibcall_test

import (
	"testing"

	"github.com/vlibos/vlibos/internal/testkit"
	"github.com/vlibos/vlibos/vlibcall"
	"github.com/vlibos/vlibos/vlibcall/vlibtest"
)

func TestMain(m *testing.M) { testkit.Main(m) }

func listen(*testing.T) (vlibcall.Listener, vlibcall.Dialer) {
	l := vlibtest.NewListener()
	return l, l
}

func TestConformance(t *testing.T) { vlibtest.Conformance(t, listen) }
