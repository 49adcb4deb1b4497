//go:build !linux

package demotest

import (
	"os"
	"testing"
)

func redisDatabases(t *testing.T) func() string {
	onLinuxOnly(t, "the server is started on Linux only")
	return nil
}

// RunShared runs two processes on one store of each kind, on Linux.
func RunShared(t *testing.T, of build, kinds ...string) {
	t.Run("denies while the disk is full, and goes on by itself", func(t *testing.T) { t.Parallel(); diskFull(t, of) })
	onLinuxOnly(t, "the processes are started on Linux only: nothing was tried on a shared store")
}

func onLinuxOnly(t *testing.T, what string) {
	if os.Getenv("CI") == "true" {
		t.Fatal(what + ", and with CI=true these tests must run")
	}
	t.Skip(what)
}
