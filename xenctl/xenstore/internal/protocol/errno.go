// SPDX-License-Identifier: Apache-2.0

package protocol

import "golang.org/x/sys/unix"

// Errors are the names that an Error message may carry (xsd_errors).
var Errors = map[string]unix.Errno{
	"EINVAL":    unix.EINVAL,
	"EACCES":    unix.EACCES,
	"EEXIST":    unix.EEXIST,
	"EISDIR":    unix.EISDIR,
	"ENOENT":    unix.ENOENT,
	"ENOMEM":    unix.ENOMEM,
	"ENOSPC":    unix.ENOSPC,
	"EIO":       unix.EIO,
	"ENOTEMPTY": unix.ENOTEMPTY,
	"ENOSYS":    unix.ENOSYS,
	"EROFS":     unix.EROFS,
	"EBUSY":     unix.EBUSY,
	"EAGAIN":    unix.EAGAIN,
	"EISCONN":   unix.EISCONN,
	"E2BIG":     unix.E2BIG,
	"EPERM":     unix.EPERM,
}
