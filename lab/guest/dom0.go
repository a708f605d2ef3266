// SPDX-License-Identifier: Apache-2.0

package guest

import (
	"bytes"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"time"

	"golang.org/x/sys/unix"

	"github.com/vlibos/vlibos/lab/wire"
)

// consoleDir is where xenconsoled keeps the DomUs' consoles.
const consoleDir = "/var/log/xen/console"

// logTail bounds how much of a domain's console is sent to the host, in bytes.
const logTail = 16 << 10

// host is Dom0's side of the wire, with the stage it is in.
type host struct {
	*wire.Conn
	stage string
}

// enter tells the host what is done next.
func (h *host) enter(format string, args ...any) error {
	h.stage = fmt.Sprintf(format, args...)
	return h.Send(wire.KindStage, []byte(h.stage))
}

func dom0(params map[string]string) error {
	mods, err := newLoader(params)
	if err != nil {
		return err
	}
	if err := mods.load("virtio_pci", "virtio_console"); err != nil {
		return err
	}
	port, err := openPort()
	if err != nil {
		return err
	}
	h := &host{Conn: wire.NewConn(port)}
	if err := h.SendJSON(wire.KindHello, hello()); err != nil {
		return fmt.Errorf("say hello: %w", err)
	}
	frame, err := h.Receive()
	if err != nil {
		return fmt.Errorf("receive the job: %w", err)
	}
	var job wire.Job
	if frame.Kind != wire.KindJob {
		return fmt.Errorf("expected a job, got a frame of kind %d", frame.Kind)
	}
	if err := frame.Decode(&job); err != nil {
		return err
	}

	if err := h.prepare(mods, &job); err != nil {
		h.sendLogs(job.Domains)
		if err := h.SendJSON(wire.KindFailed, wire.Failed{Awaited: h.stage, Error: err.Error()}); err != nil {
			return err
		}
		return h.linger()
	}
	if err := h.Send(wire.KindRunning, nil); err != nil {
		return err
	}
	status, err := h.run(&job)
	if err != nil {
		return err
	}
	if job.Logs {
		h.sendLogs(job.Domains)
	}
	if err := h.SendJSON(wire.KindExit, wire.Exit{Status: status}); err != nil {
		return err
	}
	return h.linger()
}

// linger waits for the host to take the machine away, so that what was sent is
// not lost with it.
func (h *host) linger() error {
	time.Sleep(5 * time.Second)
	return nil
}

func hello() wire.Hello {
	var uts unix.Utsname
	hello := wire.Hello{Revision: wire.Revision}
	if unix.Uname(&uts) == nil {
		hello.Kernel = unix.ByteSliceToString(uts.Release[:])
	}
	read := func(name string) string {
		data, err := os.ReadFile("/sys/hypervisor/" + name)
		if err != nil {
			return "?"
		}
		return strings.TrimSpace(string(data))
	}
	hello.Xen = read("version/major") + "." + read("version/minor") + read("version/extra")
	return hello
}

// prepare brings Dom0 to where the command can run.
func (h *host) prepare(mods *loader, job *wire.Job) error {
	if len(job.Args) == 0 {
		return fmt.Errorf("the job has no command")
	}
	if err := h.enter("starting xenstored"); err != nil {
		return err
	}
	if err := mods.load("xen_privcmd", "xen_evtchn", "xen_gntdev", "xen_gntalloc", "xenfs"); err != nil {
		return err
	}
	if err := xenfs.mount(); err != nil {
		return err
	}
	if err := unix.Sethostname([]byte("dom0")); err != nil {
		return err
	}
	if err := linkUp("lo"); err != nil {
		return err
	}
	for _, dir := range []string{"/run/xen", "/run/xenstored", consoleDir} {
		if err := os.MkdirAll(dir, 0o755); err != nil {
			return err
		}
	}
	if err := program("xenstored", "--pid-file", "/run/xen/xenstored.pid"); err != nil {
		return err
	}
	if err := program("xen-init-dom0"); err != nil {
		return err
	}
	if job.Scheduler != "" {
		if err := checkScheduler(job.Scheduler); err != nil {
			return err
		}
	}
	if err := h.enter("starting xenconsoled"); err != nil {
		return err
	}
	if err := program("xenconsoled", "--log=guest", "--log-dir="+consoleDir, "--pid-file=/run/xen/xenconsoled.pid"); err != nil {
		return err
	}
	return h.createDomains(job)
}

// program runs a program to its end. Its output is part of the error only.
func program(name string, args ...string) error {
	var out bytes.Buffer
	cmd := exec.Command(name, args...)
	cmd.Stdout, cmd.Stderr = &out, &out
	// A daemon keeps the pipe when its parent has ended.
	cmd.WaitDelay = 100 * time.Millisecond
	err := cmd.Run()
	if err != nil && err != exec.ErrWaitDelay {
		return fmt.Errorf("%s %s: %w: %s", name, strings.Join(args, " "), err, bytes.TrimSpace(out.Bytes()))
	}
	return nil
}

// sendLogs sends the end of each domain's console. A domain that never came to
// have one is left out; what cannot be sent is lost with the machine anyway.
func (h *host) sendLogs(domains []wire.Domain) {
	for _, d := range domains {
		text, err := readTail(filepath.Join(consoleDir, "guest-"+d.Name+".log"), logTail)
		if err != nil {
			continue
		}
		if h.SendJSON(wire.KindLog, wire.Log{Name: d.Name, Text: text}) != nil {
			return
		}
	}
}

func readTail(name string, limit int64) (string, error) {
	f, err := os.Open(name)
	if err != nil {
		return "", err
	}
	defer f.Close()
	info, err := f.Stat()
	if err != nil {
		return "", err
	}
	data, err := io.ReadAll(io.NewSectionReader(f, max(0, info.Size()-limit), limit))
	return string(data), err
}
