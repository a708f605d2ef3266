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

	"github.com/vlibos/vlibos/lab/labproto"
)

// consoleDir is where xenconsoled writes the DomUs' consoles.
const consoleDir = "/var/log/xen/console"

// logTail limits how much of a domain's console is sent to the host, in bytes.
const logTail = 16 << 10

// hostConn is the connection to the lab's host, with the current stage and the domains
// that have been created.
type hostConn struct {
	*labproto.Conn
	stage   string
	domains []domain
}

// enter tells the host which stage begins.
func (h *hostConn) enter(format string, args ...any) error {
	h.stage = fmt.Sprintf(format, args...)
	return h.Send(labproto.KindStage, []byte(h.stage))
}

// dom0 runs in Dom0 and, without Xen, in its place. start prepares the machine for the plan.
func dom0(params map[string]string, start func(*hostConn, *loader, labproto.Plan) error) error {
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
	h := &hostConn{Conn: labproto.NewConn(port)}
	if err := h.SendJSON(labproto.KindHello, hello()); err != nil {
		return fmt.Errorf("say hello: %w", err)
	}
	job, err := h.prepare(mods, start)
	if err != nil {
		return h.fail(err)
	}
	if err := h.begin(mods, job); err != nil {
		return h.fail(err)
	}
	if err := h.Send(labproto.KindRunning, nil); err != nil {
		return err
	}
	status, err := h.run(job)
	if err != nil {
		return err
	}
	if job.Logs {
		h.sendLogs()
	}
	if err := h.SendJSON(labproto.KindExit, labproto.Exit{Status: status}); err != nil {
		return err
	}
	return h.linger()
}

// fail tells the host why the command cannot run.
func (h *hostConn) fail(err error) error {
	h.sendLogs()
	if err := h.SendJSON(labproto.KindFailed, labproto.Failed{Awaited: h.stage, Error: err.Error()}); err != nil {
		return err
	}
	return h.linger()
}

// linger waits for the host to end the machine, so that sent data is not lost.
func (h *hostConn) linger() error {
	time.Sleep(5 * time.Second)
	return nil
}

func hello() labproto.Hello {
	var uts unix.Utsname
	hello := labproto.Hello{Revision: labproto.Revision}
	if unix.Uname(&uts) == nil {
		hello.Kernel = unix.ByteSliceToString(uts.Release[:])
	}
	if _, err := os.Stat("/sys/hypervisor/version"); err != nil {
		return hello
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

// prepare carries the host's plan out, until the machine may be saved. It returns
// the job, which the host sends then.
func (h *hostConn) prepare(mods *loader, start func(*hostConn, *loader, labproto.Plan) error) (*labproto.Job, error) {
	var plan labproto.Plan
	if err := h.receive(labproto.KindPlan, &plan); err != nil {
		return nil, err
	}
	if err := start(h, mods, plan); err != nil {
		return nil, err
	}
	if err := h.createDomains(&plan); err != nil {
		return nil, err
	}
	if err := h.Send(labproto.KindPrepared, nil); err != nil {
		return nil, err
	}
	var job labproto.Job
	if err := h.receive(labproto.KindJob, &job); err != nil {
		return nil, err
	}
	if len(job.Args) == 0 {
		return nil, fmt.Errorf("the job has no command")
	}
	return &job, nil
}

// receive waits for the next message, which must be of a kind.
func (h *hostConn) receive(kind labproto.Kind, v any) error {
	frame, err := h.Receive()
	if err != nil {
		return fmt.Errorf("receive a frame of kind %d: %w", kind, err)
	}
	if frame.Kind != kind {
		return fmt.Errorf("want a frame of kind %d, got one of kind %d", kind, frame.Kind)
	}
	return frame.Decode(v)
}

// begin prepares a machine for the job's command.
func (h *hostConn) begin(mods *loader, job *labproto.Job) error {
	if job.Address != "" {
		if err := h.enter("joining the network to another machine"); err != nil {
			return err
		}
		if err := mods.load("virtio_net"); err != nil {
			return err
		}
		if err := program("ip", "address", "add", job.Address, "dev", machinesNetwork); err != nil {
			return err
		}
		// Each frame costs two switches of the machine's emulated worlds.
		if err := program("ip", "link", "set", machinesNetwork, "mtu", "60000"); err != nil {
			return err
		}
		if err := linkUp(machinesNetwork); err != nil {
			return err
		}
	}
	if err := h.enter("copying the run's files"); err != nil {
		return err
	}
	if err := receiveFiles(dom0Files); err != nil {
		return err
	}
	return h.startDomains(job.WaitSeconds)
}

// startXen starts what Dom0 needs to create domains. If the plan names a scheduler,
// Xen must run under it.
func (h *hostConn) startXen(mods *loader, plan labproto.Plan) error {
	if err := h.enter("starting xenstored"); err != nil {
		return err
	}
	if err := mods.load("xen_privcmd", "xen_evtchn", "xen_gntdev", "xen_gntalloc", "xenfs", "virtio_blk", "xen_blkback"); err != nil {
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
	if plan.Scheduler != "" {
		if err := checkScheduler(plan.Scheduler); err != nil {
			return err
		}
	}
	if err := h.enter("starting xenconsoled"); err != nil {
		return err
	}
	if err := program("xenconsoled", "--log=guest", "--log-dir="+consoleDir, "--pid-file=/run/xen/xenconsoled.pid"); err != nil {
		return err
	}
	return nil
}

// program runs a program to its end. Its output is only part of the error.
func program(name string, args ...string) error {
	var out bytes.Buffer
	cmd := exec.Command(name, args...)
	cmd.Stdout, cmd.Stderr = &out, &out
	// A daemon keeps the pipe open after its parent has ended.
	cmd.WaitDelay = 100 * time.Millisecond
	err := cmd.Run()
	if err != nil && err != exec.ErrWaitDelay {
		return fmt.Errorf("%s %s: %w: %s", name, strings.Join(args, " "), err, bytes.TrimSpace(out.Bytes()))
	}
	return nil
}

// sendLogs sends the end of each domain's console. It skips a domain without one,
// and ignores errors, because the machine is about to end.
func (h *hostConn) sendLogs() {
	for _, d := range h.domains {
		text, err := readTail(filepath.Join(consoleDir, "guest-"+d.name+".log"), logTail)
		if err != nil {
			continue
		}
		if h.SendJSON(labproto.KindLog, labproto.Log{Name: d.name, Text: text}) != nil {
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
