// SPDX-License-Identifier: Apache-2.0

package guest

import (
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"

	"golang.org/x/sys/unix"

	"github.com/vlibos/vlibos/lab/labproto"
)

// agentArg is the argument with which process 1 starts the agent.
const agentArg = "agent"

// environment is that of every program in the images.
var environment = []string{
	"PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin",
	"HOME=/root", "USER=root", "LOGNAME=root", "LANG=C.UTF-8", "TERM=vt100",
}

// Main runs the program in the role that args select, and returns its exit status.
// As process 1 it does not return: it powers the machine off.
func Main(args []string) int {
	if len(args) == 2 && args[1] == agentArg {
		if err := agent(); err != nil {
			logf("%v", err)
			return 1
		}
		return 0
	}
	if os.Getpid() != 1 {
		fmt.Fprintln(os.Stderr, "vliblab-init: this is the init program of the lab's images: it runs only there")
		return 2
	}
	if err := initialise(); err != nil {
		logf("%v", err)
	}
	unix.Sync()
	err := unix.Reboot(unix.LINUX_REBOOT_CMD_POWER_OFF)
	logf("power off: %v", err)
	return 1
}

// initialise is process 1; it returns when the agent has ended.
func initialise() error {
	if err := mountKernelFilesystems(); err != nil {
		return err
	}
	if err := openConsole(); err != nil {
		return err
	}
	cmd := exec.Command("/proc/self/exe", agentArg)
	// Threads that wait for one another across emulated CPUs are slow.
	cmd.Env = append(environment[:len(environment):len(environment)], "GOMAXPROCS=1")
	cmd.Dir = "/root"
	cmd.Stdin, cmd.Stdout, cmd.Stderr = os.Stdin, os.Stdout, os.Stderr
	if err := cmd.Start(); err != nil {
		return fmt.Errorf("start the agent: %w", err)
	}
	for {
		var status unix.WaitStatus
		pid, err := unix.Wait4(-1, &status, 0, nil)
		if errors.Is(err, unix.EINTR) {
			continue
		}
		if err != nil {
			return fmt.Errorf("wait: %w", err)
		}
		if pid == cmd.Process.Pid {
			return nil
		}
	}
}

func agent() error {
	params, err := kernelParameters()
	if err != nil {
		return err
	}
	switch role := params[labproto.RoleParameter]; role {
	case labproto.RoleDom0:
		return dom0(params, (*hostConn).startXen)
	case labproto.RoleLinux:
		return dom0(params, (*hostConn).startLinux)
	case labproto.RoleDomU:
		return domu(params)
	default:
		return fmt.Errorf("kernel parameter %s is %q, want %q, %q or %q", labproto.RoleParameter, role, labproto.RoleDom0, labproto.RoleDomU, labproto.RoleLinux)
	}
}

// openConsole makes /dev/console the program's standard files. The kernel does so
// only if the image itself has that node.
func openConsole() error {
	f, err := os.OpenFile("/dev/console", os.O_RDWR|unix.O_NOCTTY, 0)
	if err != nil {
		return err
	}
	defer f.Close()
	for fd := range 3 {
		if err := unix.Dup3(int(f.Fd()), fd, 0); err != nil && !errors.Is(err, unix.EINVAL) {
			return fmt.Errorf("console: %w", err)
		}
	}
	return nil
}

// logf writes a line to the console.
func logf(format string, args ...any) {
	io.WriteString(os.Stderr, "vliblab-init: "+fmt.Sprintf(format, args...)+"\n")
}
