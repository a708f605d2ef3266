// SPDX-License-Identifier: Apache-2.0

package domuserver

import (
	"io"
	"log"
	"os"
	"path/filepath"
	"time"

	"github.com/vlibos/vlibos/vlibcall"
	"github.com/vlibos/vlibos/vlibcall/transport"
)

// Options of a Server. The zero value is a sensible default.
type Options struct {
	// Reported by services, and used for nothing else: the name of the domain,
	// the version of the program, the transport in use and all that it has, and
	// the port.
	Name, Version, Transport string
	Transports               []string
	Port                     transport.Port

	// Worker is the program in which libraries run. Default: vlib-worker in the
	// directory of this executable.
	Worker string
	// Libraries are the libraries that may be called.
	Libraries Libraries
	// NoRun disables the built-in function run, which runs commands.
	NoRun bool
	// MaxWorkers is how many idle workers are kept. Default 8.
	MaxWorkers int

	// Sole says that this process has no other children than those that the
	// server starts, now or later. A daemon that a library or a command leaves
	// behind is then killed when the worker or the command has ended, in any
	// process group or session. Otherwise such a daemon keeps running.
	Sole bool

	// MaxRunTime limits one call of a library and one command, even if the
	// client allows more, because other calls wait meanwhile. Default
	// [DefaultMaxRunTime]; negative: no limit.
	MaxRunTime time.Duration
	// MaxOutput limits each of the two outputs of a command that is returned,
	// in bytes; the client's channel limits it too. Default 1 MiB.
	MaxOutput int

	// Order, AtOnce, Linger and SessionIdle are those of vlibcall.Server.
	// SessionIdle 0 is its default. Calls of one library that are served at the
	// same time run in processes of their own.
	Order               vlibcall.Order
	AtOnce              int
	Linger, SessionIdle time.Duration

	// Log gets a line when a worker crashes or cannot be started. Default: no
	// log.
	Log *log.Logger
}

// The defaults of Options.
const (
	DefaultMaxRunTime = time.Minute
	DefaultMaxOutput  = 1 << 20
	DefaultMaxWorkers = 8
)

// withDefaults returns o with its defaults. A MaxRunTime of 0 then means no
// limit.
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
