// SPDX-License-Identifier: Apache-2.0

package domuserver

import (
	"bytes"
	"reflect"
	"testing"
	"time"

	"github.com/vlibos/vlibos/vlibcall"
	"github.com/vlibos/vlibos/vlibcall/builtin"
	"github.com/vlibos/vlibos/vlibcall/transport"
)

func TestEchoReturnsItsInput(t *testing.T) {
	v := serve(t, Options{})
	for _, n := range []int{0, 1, 1000, 1 << 20} {
		input := bytes.Repeat([]byte{'e'}, n)
		out, err := v.Call(t.Context(), builtin.Library, builtin.Echo, input, nil)
		if err != nil || !bytes.Equal(out, input) {
			t.Errorf("%d of %d bytes, %v", len(out), n, err)
		}
	}
}

func TestServicesListsFunctionsAndLibraries(t *testing.T) {
	v := serve(t, Options{
		Name: "d", Version: "v", Transport: "native", Transports: []string{"native", "xen"}, Port: 7,
		MaxRunTime: 2 * time.Second,
	}, func(s *Server) {
		s.Handle("a", "f", func(*vlibcall.Call) error { return nil })
	})
	v.number("count", "i32()")
	want := builtin.Info{
		Name: "d", Version: "v", Revision: transport.Revision,
		Transport: "native", Offered: []string{"native", "xen"}, Port: 7,
		Functions: []builtin.Function{{Library: "a", Function: "f"}, {Library: "vlib", Function: "echo"},
			{Library: "vlib", Function: "run"}, {Library: "vlib", Function: "services"}},
		Libraries: builtin.Libraries{AnySoname: true, Directories: []string{built}},
		Worker:    builtin.Worker{Path: built + "/vlib-worker", Running: []string{library("libtest.so")}},
		Limits:    builtin.Limits{MaxRunTimeMS: 2000, MaxOutput: DefaultMaxOutput, MaxWorkers: DefaultMaxWorkers, WorkerSize: workerSize},
	}
	if got := v.services(); !reflect.DeepEqual(got, want) {
		t.Errorf("%+v\nwant %+v", got, want)
	}
	if got := serve(t, Options{Worker: library("nosuch")}).services(); got.Worker.Problem == "" {
		t.Errorf("%+v", got.Worker)
	}
}

// A library with Go functions is not searched in the guest.
func TestHandlersHideLibraries(t *testing.T) {
	v := serve(t, Options{}, func(s *Server) {
		s.Handle("libm.so.6", "f", func(c *vlibcall.Call) error { return c.Reply([]byte("ours")) })
	})
	if out, err := v.Call(t.Context(), "libm.so.6", "f", nil, nil); err != nil || string(out) != "ours" {
		t.Errorf("%q, %v", out, err)
	}
	_, err := v.Call(t.Context(), "libm.so.6", "cos", mustEncode(t, "f64(f64)", "1"), nil)
	fails(t, err, vlibcall.ErrNoFunction, `"cos" in libm.so.6`)
	_, err = v.Call(t.Context(), "vlib", "no\x1bsuch", nil, nil)
	fails(t, err, vlibcall.ErrNoFunction, `"no\x1bsuch" in vlib`)
}
