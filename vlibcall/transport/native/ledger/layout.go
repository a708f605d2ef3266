// SPDX-License-Identifier: Apache-2.0

package ledger

import (
	"encoding/binary"
	"errors"
	"path/filepath"
	"time"
)

// Name of the file in the domain's directory.
const Name = "ledger"

// MaxReservation bounds reservations' numbers: they are below it.
const MaxReservation = 4096

const magic = "vLedger\x01"

const (
	atSequence = 0x08
	atServing  = 0x10
	atStart    = 0x18
	atUntil    = 0x1000
	atSlots    = 0x2000

	slotSize        = 64
	slotUsed        = 0x00
	slotLast        = 0x08
	slotAllowed     = 0x20
	slotBackground  = 0x28
	slotDeschedules = 0x30

	size = atSlots + MaxReservation*slotSize
)

// Errors that callers distinguish.
var (
	ErrNone   = errors.New("the server keeps no ledger")
	ErrDenied = errors.New("may not pay for calls to this domain")
)

// File is the path of the ledger of the domain in directory dir.
func File(dir string) string { return filepath.Join(dir, Name) }

func slot(r uint32) int { return atSlots + int(r)*slotSize }

func word(b []byte) uint64 { return binary.LittleEndian.Uint64(b) }

// duration of a word that the peer may have written.
func duration(v uint64) time.Duration { return time.Duration(min(v, 1<<62)) }
