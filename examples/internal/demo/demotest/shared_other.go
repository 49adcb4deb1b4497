//go:build !linux

package demotest

import "testing"

func redisDatabases(t *testing.T) func() string {
	t.Skip("the server is started on Linux only")
	return nil
}

// RunShared runs two processes on one store of each kind, on Linux.
func RunShared(t *testing.T, of build, kinds ...string) {
	t.Run("denies while the disk is full, and goes on by itself", func(t *testing.T) { t.Parallel(); diskFull(t, of) })
	t.Skip("the processes are started on Linux only: nothing was tried on a shared store")
}
