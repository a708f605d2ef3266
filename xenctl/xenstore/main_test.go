// SPDX-License-Identifier: Apache-2.0

package xenstore

import (
	"context"
	"errors"
	"testing"

	"github.com/vlibos/vlibos/internal/testkit"
	"github.com/vlibos/vlibos/xenctl/xenstore/xenstoretest"
)

func TestMain(m *testing.M) { testkit.Main(m) }

// within limits the time of a test's requests.
func within(t *testing.T) context.Context {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), testkit.Patience)
	t.Cleanup(cancel)
	return ctx
}

func daemon(t *testing.T) *xenstoretest.Server {
	t.Helper()
	s, err := xenstoretest.Start()
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := s.Close(); err != nil {
			t.Error(err)
		}
	})
	return s
}

func connect(t *testing.T, path string) *Client {
	t.Helper()
	c, err := OpenPath(within(t), path)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := c.Close(); err != nil {
			t.Error(err)
		}
	})
	return c
}

func check(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

func wantError(t *testing.T, err, want error) {
	t.Helper()
	var op *OpError
	if !errors.Is(err, want) || !errors.As(err, &op) {
		t.Errorf("error %v, want an OpError with %v", err, want)
	}
}
