// SPDX-License-Identifier: Apache-2.0

package xapi_test

import (
	"context"
	"log/slog"
	"testing"

	"github.com/vlibos/vlibos/dom0/xapi"
	"github.com/vlibos/vlibos/dom0/xapi/xapitest"
	"github.com/vlibos/vlibos/internal/testkit"
)

func TestMain(m *testing.M) { testkit.Main(m) }

// client is one of a fake XAPI.
func client(t *testing.T, o xapi.Options) *xapi.Client {
	t.Helper()
	c, err := xapi.New(o)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(c.Close)
	return c
}

// follow follows a fake XAPI until the test ends.
func follow(t *testing.T, x *xapitest.XAPI, log *slog.Logger) *xapi.Pool {
	t.Helper()
	p := xapi.Follow(client(t, x.Options(t)), func() (string, error) { return xapitest.Host, nil }, log)
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan struct{})
	go func() { p.Run(ctx); close(done) }()
	t.Cleanup(func() { cancel(); <-done })
	return p
}

// named waits until a VM has that name.
func named(t *testing.T, p *xapi.Pool, uuid, name string) *xapi.VM {
	t.Helper()
	testkit.Eventually(t, uuid+" is named "+name, func() bool { v := p.VM(uuid); return v != nil && v.Name == name })
	return p.VM(uuid)
}
