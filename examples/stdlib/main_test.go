package main

import (
	"testing"

	"github.com/sallyport-go/sallyport/examples/internal/demo/demotest"
)

func TestVisitors(t *testing.T) { demotest.Run(t, site) }

func TestProgram(t *testing.T) { demotest.RunProgram(t) }

func TestSharedStores(t *testing.T) {
	demotest.RunShared(t, site, "sqlite", "redis", "postgres", "mysql")
}
