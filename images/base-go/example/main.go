// A small web service that runs on the image and uses its C library: answers on port 8080, ends cleanly on SIGTERM.
// `/hello -check` asks the one that runs beside it whether it is well; the image has no curl to do so.
package main

// #include <gnu/libc-version.h>
import "C"

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"log"
	"net/http"
	"os"
	"os/signal"
	"os/user"
	"syscall"
	"time"
)

func main() {
	ask := flag.Bool("check", false, "ask the service that runs here whether it is well, and end")
	flag.Parse()
	address := ":8080"
	if port := os.Getenv("PORT"); port != "" {
		address = ":" + port
	}
	if *ask {
		if err := check("http://localhost" + address + "/healthz"); err != nil {
			log.Fatal(err)
		}
		return
	}
	server := &http.Server{Addr: address, Handler: routes(), ReadHeaderTimeout: 5 * time.Second}

	stop, cancel := signal.NotifyContext(context.Background(), syscall.SIGTERM, os.Interrupt)
	defer cancel()
	drained := make(chan struct{})
	go func() {
		defer close(drained)
		<-stop.Done()
		drain, cancel := context.WithTimeout(context.Background(), 10*time.Second)
		defer cancel()
		if err := server.Shutdown(drain); err != nil {
			log.Print(err)
		}
	}()

	log.Printf("listening on %s as user %d", address, os.Getuid())
	if err := server.ListenAndServe(); !errors.Is(err, http.ErrServerClosed) {
		log.Fatal(err)
	}
	<-drained
}

func check(url string) error {
	client := &http.Client{Timeout: 5 * time.Second}
	response, err := client.Get(url)
	if err != nil {
		return err
	}
	defer response.Body.Close()
	if response.StatusCode != http.StatusNoContent {
		return fmt.Errorf("%s answers %s", url, response.Status)
	}
	return nil
}

func routes() http.Handler {
	mux := http.NewServeMux()
	mux.HandleFunc("GET /healthz", func(w http.ResponseWriter, _ *http.Request) {
		w.WriteHeader(http.StatusNoContent)
	})
	mux.HandleFunc("GET /{$}", func(w http.ResponseWriter, _ *http.Request) {
		fmt.Fprintf(w, "hello from an image without a shell, as %s, with glibc %s\n", name(), glibc())
	})
	return mux
}

// glibc is the version of the C library in the image, not of the one that the program was built with.
func glibc() string {
	return C.GoString(C.gnu_get_libc_version())
}

// name is the user's, which glibc looks up when Go is built with cgo.
func name() string {
	account, err := user.Current()
	if err != nil {
		return "nobody that /etc/passwd knows"
	}
	return account.Username
}
