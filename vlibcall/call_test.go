// SPDX-License-Identifier: Apache-2.0

package vlibcall_test

import (
	"testing"

	"github.com/vlibos/vlibos/internal/testkit"
	"github.com/vlibos/vlibos/vlibcall/transport"
	"github.com/vlibos/vlibos/vlibcall/transport/conformance"
	"github.com/vlibos/vlibos/vlibcall/transport/memory"
)

func TestMain(m *testing.M) { testkit.Main(m) }

func listen(*testing.T) (transport.Listener, transport.Dialer) {
	l := memory.NewListener()
	return l, l
}

func TestConformance(t *testing.T) { conformance.Run(t, listen) }
