// SPDX-License-Identifier: Apache-2.0

//go:build dom0

package evtchn

import (
	"bufio"
	"fmt"
	"os"
	"os/exec"
	"strconv"
	"testing"
	"time"

	"github.com/vlibos/vlibos/internal/testkit"
)

// In the lab that counts instructions, these benchmarks count them: a
// nanosecond is an instruction there.

// echoPort makes this test binary the other side of BenchmarkLabRoundTrip: a
// process that connects to the port and answers every event.
const echoPort = "EVTCHN_LAB_ECHO"

var deadlines = map[string]func() time.Time{
	"forever":  func() time.Time { return time.Time{} },
	"deadline": func() time.Time { return time.Now().Add(time.Minute) },
}

func TestMain(m *testing.M) {
	if port := os.Getenv(echoPort); port != "" {
		if err := echo(port, deadlines[os.Args[1]]); err != nil {
			fmt.Fprintln(os.Stderr, err)
			os.Exit(1)
		}
	}
	testkit.Main(m)
}

func echo(remote string, deadline func() time.Time) error {
	h, err := Open()
	if err != nil {
		return err
	}
	number, err := strconv.Atoi(remote)
	if err != nil {
		return err
	}
	local, err := h.BindInterdomain(0, Port(number))
	if err != nil {
		return err
	}
	for {
		port, err := h.WaitUntil(deadline())
		if err != nil || port != local {
			return fmt.Errorf("port %d, %w", port, err)
		}
		if err := h.Unmask(port); err != nil {
			return err
		}
		if err := h.Notify(port); err != nil {
			return err
		}
	}
}

// BenchmarkLabRoundTrip is a blocking ping-pong between two processes of Dom0.
func BenchmarkLabRoundTrip(b *testing.B) {
	for _, name := range []string{"forever", "deadline"} {
		b.Run(name, func(b *testing.B) { benchRoundTrip(b, name, deadlines[name]) })
	}
}

func benchRoundTrip(b *testing.B, name string, deadline func() time.Time) {
	h := open(b)
	port, err := h.BindUnbound(0)
	if err != nil {
		b.Fatal(err)
	}
	cmd := exec.Command(os.Args[0], name)
	cmd.Env = append(os.Environ(), fmt.Sprintf("%s=%d", echoPort, port))
	stderr, err := cmd.StderrPipe()
	if err != nil {
		b.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		b.Fatal(err)
	}
	go func() {
		for s := bufio.NewScanner(stderr); s.Scan(); {
			b.Error(s.Text())
		}
	}()
	receive(b, h, port) // the event of its binding, echoed
	b.ReportAllocs()
	for b.Loop() {
		_ = h.Notify(port)
		if _, err := h.WaitUntil(deadline()); err != nil {
			b.Fatal(err)
		}
		_ = h.Unmask(port)
	}
	b.StopTimer()
	_ = cmd.Process.Kill()
	_ = cmd.Wait()
}

func BenchmarkLabNotify(b *testing.B) {
	x, y := open(b), open(b)
	px, _ := pair(b, x, y)
	for b.Loop() {
		_ = x.Notify(px)
	}
}

func BenchmarkLabUnmask(b *testing.B) {
	x, y := open(b), open(b)
	_, py := pair(b, x, y)
	for b.Loop() {
		_ = y.Unmask(py)
	}
}
