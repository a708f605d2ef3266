// SPDX-License-Identifier: Apache-2.0

package domuserver

import (
	"io"
	"log"
	"os"
	"path/filepath"
	"time"

	"github.com/vlibos/vlibos/vlibcall/transport"
)

// Options of a Server. The zero value is a sensible default.
type Options struct {
	// What services reports, and nothing else: what the domain is called,
	// the version of the program, the transport in use and all that it
	// has, and the port.
	Name, Version, Transport string
	Transports               []string
	Port                     transport.Port

	// Worker is the program that libraries run in. Default: vlib-worker in
	// the directory of this executable.
	Worker string
	// Libraries that may be called.
	Libraries Libraries
	// NoRun: the built-in function run, which runs commands, is not served.
	NoRun bool
	// MaxWorkers that are kept when idle. Default 8.
	MaxWorkers int

	// Sole says that this process has no children but those that the server
	// starts, now or later. What a library or a command leaves behind as a
	// daemon is then killed when the worker or the command has ended, whatever
	// process group or session it is in. False: that goes on.
	Sole bool

	// MaxRunTime bounds one call of a library and one command, whatever the
	// client allows, because others wait meanwhile. Default
	// [DefaultMaxRunTime]; negative: no bound.
	MaxRunTime time.Duration
	// MaxOutput bounds what is kept of each of the two outputs of a
	// command, in bytes; the client's channel bounds it too. Default 1 MiB.
	MaxOutput int

	// Linger and SessionIdle are those of vlibcall.Server. SessionIdle 0:
	// its default.
	Linger, SessionIdle time.Duration

	// Log gets a line when a worker crashes or cannot be started. Default:
	// nowhere.
	Log *log.Logger
}

// The defaults of Options.
const (
	DefaultMaxRunTime = time.Minute
	DefaultMaxOutput  = 1 << 20
	DefaultMaxWorkers = 8
)

// withDefaults returns o complete. A MaxRunTime of 0 then means no bound.
func (o Options) withDefaults() Options {
	if o.Worker == "" {
		o.Worker = "vlib-worker"
		if exe, err := os.Executable(); err == nil {
			o.Worker = filepath.Join(filepath.Dir(exe), o.Worker)
		}
	}
	if o.MaxWorkers <= 0 {
		o.MaxWorkers = DefaultMaxWorkers
	}
	switch {
	case o.MaxRunTime == 0:
		o.MaxRunTime = DefaultMaxRunTime
	case o.MaxRunTime < 0:
		o.MaxRunTime = 0
	}
	if o.MaxOutput <= 0 {
		o.MaxOutput = DefaultMaxOutput
	}
	if o.Log == nil {
		o.Log = log.New(io.Discard, "", 0)
	}
	return o
}
