// SPDX-License-Identifier: Apache-2.0

package guest

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/vlibos/vlibos/lab/labproto"
)

// openPort opens the virtio-serial port to the host. The driver learns the port's
// name by a control message after it was loaded, so openPort looks several times.
func openPort() (*os.File, error) {
	const tries = 200
	for range tries {
		names, err := filepath.Glob("/sys/class/virtio-ports/*/name")
		if err != nil {
			return nil, err
		}
		for _, file := range names {
			name, err := os.ReadFile(file)
			if err != nil || strings.TrimSpace(string(name)) != labproto.Port {
				continue
			}
			return os.OpenFile("/dev/"+filepath.Base(filepath.Dir(file)), os.O_RDWR, 0)
		}
		time.Sleep(10 * time.Millisecond)
	}
	return nil, fmt.Errorf("no virtio-serial port %s: QEMU was started without it, or the module virtio_console is missing", labproto.Port)
}
