// SPDX-License-Identifier: Apache-2.0

package broker

import (
	"context"
	"encoding/json"
	"errors"
	"io/fs"
	"maps"
	"os"

	"github.com/vlibos/vlibos/internal/atomicfile"
)

// asked is the cache classes that VMs have asked for, by UUID, in a file: the next master
// needs them before XAPI answers. Reservations are in the master's own file.
type asked struct {
	file  string
	class map[string]string // as in the file
}

// Recall asks for the cache classes that VMs had asked an earlier master for. They stay
// until XAPI answers, or is switched off.
func (b *Broker) Recall(ctx context.Context, c Classes) {
	text, err := os.ReadFile(b.asked.file)
	if errors.Is(err, fs.ErrNotExist) {
		return
	}
	if err == nil {
		err = json.Unmarshal(text, &b.asked.class)
	}
	if err != nil {
		b.log.Warn("cache classes that VMs asked for in XAPI are not known until it answers", "file", b.asked.file, "error", err)
		return
	}
	c.Ask(ctx, b.asked.class)
}

// ask asks for cache classes, and returns why some are not had.
func (b *Broker) ask(ctx context.Context, c Classes, class map[string]string) map[string]error {
	if !maps.Equal(class, b.asked.class) {
		text, err := json.Marshal(class)
		if err == nil {
			err = atomicfile.Write(b.asked.file, text, 0o600)
		}
		if err == nil {
			b.asked.class = class
		} else if ctx.Err() == nil {
			b.log.Warn("cache classes that VMs ask for in XAPI are not saved: another master would forget them until XAPI answers", "error", err)
		}
	}
	return c.Ask(ctx, class)
}
