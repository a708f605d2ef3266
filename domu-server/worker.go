// SPDX-License-Identifier: Apache-2.0

package domuserver

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"net"
	"os"
	"os/exec"
	"runtime"
	"strings"
	"syscall"
	"time"

	"golang.org/x/sys/unix"

	"github.com/vlibos/vlibos/vlibcall"
	"github.com/vlibos/vlibos/vlibcall/transport/native"
)

const (
	// workerSize is the size of a worker's channel in bytes. It is the largest
	// possible, because a channel cannot grow, and its memory is not used
	// before it is touched.
	workerSize = native.MaxSize

	// startLimit limits the start of a worker. It usually takes milliseconds;
	// the limit is for a guest that is short of CPU time.
	startLimit = 30 * time.Second
)

// worker is a process with one library loaded. One goroutine may use it.
type worker struct {
	library string
	process *process
	channel *vlibcall.Channel
	wrote   tail
	touched int // size of the largest request and result so far

	life    context.Context // ends with the process
	status  syscall.WaitStatus
	lostErr error // instead of status; both are valid when life is over
}

// startWorker starts the program at path for a library. The first call loads
// the library. The error says what to do about it.
func startWorker(ctx context.Context, path, library string) (*worker, error) {
	ours, theirs, err := socketPair()
	if err != nil {
		return nil, fmt.Errorf("start worker %s: %w", path, err)
	}
	w := &worker{library: library}
	cmd := exec.Command(path, library)
	cmd.ExtraFiles = []*os.File{theirs}
	cmd.Stdout, cmd.Stderr = &w.wrote, &w.wrote
	w.process, err = startProcess(cmd)
	theirs.Close()
	if err != nil {
		ours.Close()
		return nil, startError(path, err)
	}
	life, ended := context.WithCancel(context.Background())
	w.life = life
	go func() {
		defer ended()
		w.status, w.lostErr = w.process.wait()
	}()

	ctx, cancel := context.WithTimeout(ctx, startLimit)
	defer cancel()
	defer context.AfterFunc(life, cancel)()
	// On one CPU the worker cannot answer while the server spins.
	opts := vlibcall.Options{Size: workerSize}
	if runtime.NumCPU() == 1 {
		opts.Wait = vlibcall.Block
	}
	if w.channel, err = vlibcall.Open(ctx, native.NewConn(ours), opts); err != nil {
		<-ctx.Done() // it ends by itself, or is ended: it may have closed its channel first
		if w.ended() {
			err = errors.New(w.obituary())
		}
		w.stop()
		return nil, fmt.Errorf("worker %s was not ready to serve: %w", path, err)
	}
	return w, nil
}

func startError(path string, err error) error {
	if _, statErr := os.Stat(path); statErr == nil && errors.Is(err, fs.ErrNotExist) {
		return fmt.Errorf("start worker %s: the program is there but not its dynamic linker: the guest needs ld.so and glibc", path)
	}
	return fmt.Errorf("start worker: %w: put vlib-worker beside vlib-server, or say where it is with --worker", err)
}

func socketPair() (ours *net.UnixConn, theirs *os.File, err error) {
	fds, err := unix.Socketpair(unix.AF_UNIX, unix.SOCK_SEQPACKET|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		return nil, nil, os.NewSyscallError("socketpair", err)
	}
	half := os.NewFile(uintptr(fds[0]), "worker")
	defer half.Close()
	theirs = os.NewFile(uintptr(fds[1]), "server")
	conn, err := net.FileConn(half)
	if err != nil {
		theirs.Close()
		return nil, nil, err
	}
	return conn.(*net.UnixConn), theirs, nil
}

// theLibrary is the name in the channel of the worker's only library, whose
// resolved path can be longer than such a name.
const theLibrary = "library"

// call calls function of the worker's library and appends its result to
// room[:0]. Errors are those of vlibcall.Channel.Call; ErrTimeout also if the
// process has ended.
func (w *worker) call(ctx context.Context, function string, input, room []byte) ([]byte, error) {
	w.wrote.reset()
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	// A socket does not report the worker's death if its child has it open.
	defer context.AfterFunc(w.life, cancel)()
	output, err := w.channel.Call(ctx, theLibrary, function, input, room)
	w.touched = max(w.touched, len(input)+len(output))
	return output, err
}

// ended reports whether the process has ended.
func (w *worker) ended() bool { return w.life.Err() != nil }

// died stops a process, and reports whether it was dying before. The kernel closes a
// process's files before it has a status; what it dies of is fixed by then, and a
// kill does not change it.
func (w *worker) died() bool {
	dying := w.process.dying()
	w.stop()
	return dying || w.lostErr == nil && w.status.Signal() != unix.SIGKILL
}

// obituary says how the process ended, and its last output.
func (w *worker) obituary() string {
	var b strings.Builder
	if w.lostErr != nil {
		b.WriteString(w.lostErr.Error())
	} else {
		b.WriteString(describe(w.status))
	}
	if lines := w.wrote.lines(); lines != "" {
		b.WriteString("; it wrote: ")
		b.WriteString(lines)
	}
	return b.String()
}

// stop kills the process, waits for its end and frees everything.
func (w *worker) stop() {
	w.process.kill()
	<-w.life.Done()
	if w.channel != nil {
		w.channel.Close() // cannot block without callers. Its error could only say that the worker is dead
	}
}
