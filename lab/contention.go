// SPDX-License-Identifier: Apache-2.0

package lab

import (
	"context"
	"errors"
	"io"
	"os"
	"time"

	"github.com/vlibos/vlibos/lab/image"
	"github.com/vlibos/vlibos/lab/membus"
	"github.com/vlibos/vlibos/throttle/model"
)

// pluginTools compile the emulator's plugins.
var pluginTools = []tool{{"gcc", "build-essential"}, {"dpkg-source", "dpkg-dev"}}

// memoryBus is the modelled memory bus of one run: the plugin, and the file that it
// shares with the machine.
type memoryBus struct {
	plugin string
	file   *os.File
}

// newMemoryBus builds the plugin, if necessary, and makes the file, which no name
// refers to: it ends with the last process that has it open. The caller closes it.
func newMemoryBus(ctx context.Context, log io.Writer) (*memoryBus, error) {
	path, err := plugin(ctx, membus.Memory, log)
	if err != nil {
		return nil, err
	}
	f, err := memoryFile("memory-bus")
	if err != nil {
		return nil, err
	}
	if err := f.Truncate(model.Bytes); err != nil {
		return nil, errors.Join(err, f.Close())
	}
	return &memoryBus{path, f}, nil
}

// plugin returns the path of one of the emulator's plugins, which it builds if
// necessary.
func plugin(ctx context.Context, name string, log io.Writer) (string, error) {
	cache, err := image.DefaultCache()
	if err != nil {
		return "", err
	}
	if err := install(ctx, missing(pluginTools), log); err != nil {
		return "", err
	}
	return membus.NewCache(cache).Build(ctx, runTools[0].pkg, name, log)
}

// setService sets the bus's service time. The machine must run, so that the plugin
// is there.
func (m *memoryBus) setService(d time.Duration) error {
	bus, err := model.OpenFile(m.file)
	if err != nil {
		return err
	}
	return errors.Join(bus.SetService(d), bus.Close())
}
