// Checks a ledger's folder with golang.org/x/mod/sumdb (tlog, note), which shares no code with ours.
//
//	go run tlog.go FOLDER LOGKEY OLDSIZE OLDROOT
//
// Opens the checkpoint's note under the log's key, reads tiles through tlog.TileHashReader, which believes only what
// the root leads to, hashes every entry of the bundles itself, and checks inclusion and consistency proofs.
package main

import (
	"encoding/base64"
	"encoding/binary"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"

	"golang.org/x/mod/sumdb/note"
	"golang.org/x/mod/sumdb/tlog"
)

func check(err error) {
	if err != nil {
		fmt.Fprintln(os.Stderr, "refused:", err)
		os.Exit(1)
	}
}

// tiles reads C2SP paths: those of sumdb without the height.
type tiles struct{ folder string }

func (t tiles) Height() int { return 8 }

func (t tiles) path(tile tlog.Tile) string {
	path := strings.TrimPrefix(tile.Path(), "tile/8/")
	return filepath.Join(t.folder, "tile", strings.Replace(path, "data/", "entries/", 1))
}

func (t tiles) ReadTiles(wanted []tlog.Tile) ([][]byte, error) {
	var all [][]byte
	for _, tile := range wanted {
		data, err := os.ReadFile(t.path(tile))
		if err != nil {
			return nil, err
		}
		all = append(all, data)
	}
	return all, nil
}

func (t tiles) SaveTiles([]tlog.Tile, [][]byte) {}

func hash(text string) (h tlog.Hash) {
	data, err := base64.StdEncoding.DecodeString(text)
	check(err)
	if copy(h[:], data) != len(h) || len(data) != len(h) {
		check(fmt.Errorf("not a hash: %q", text))
	}
	return h
}

func main() {
	folder, key := os.Args[1], os.Args[2]
	oldSize, err := strconv.ParseInt(os.Args[3], 10, 64)
	check(err)
	verifier, err := note.NewVerifier(key)
	check(err)
	text, err := os.ReadFile(filepath.Join(folder, "checkpoint"))
	check(err)
	signed, err := note.Open(text, note.VerifierList(verifier))
	check(err)
	lines := strings.Split(signed.Text, "\n")
	if lines[0] != verifier.Name() {
		check(fmt.Errorf("origin %q", lines[0]))
	}
	size, err := strconv.ParseInt(lines[1], 10, 64)
	check(err)
	tree := tlog.Tree{N: size, Hash: hash(lines[2])}
	source := tiles{folder}
	reader := tlog.TileHashReader(tree, source)

	root, err := tlog.TreeHash(size, reader)
	check(err)
	if root != tree.Hash {
		check(fmt.Errorf("root %v, the checkpoint says %v", root, tree.Hash))
	}
	for at := int64(0); at < size; at += 256 {
		width := 256
		if size-at < 256 {
			width = int(size - at)
		}
		data, err := os.ReadFile(source.path(tlog.Tile{H: 8, L: -1, N: at / 256, W: width}))
		check(err)
		for i := int64(0); i < int64(width); i++ {
			length := int(binary.BigEndian.Uint16(data))
			leaf := tlog.RecordHash(data[2 : 2+length])
			data = data[2+length:]
			stored, err := reader.ReadHashes([]int64{tlog.StoredHashIndex(0, at+i)})
			check(err)
			if stored[0] != leaf {
				check(fmt.Errorf("entry %d is not the tree's", at+i))
			}
			if (at+i)%97 == 0 || at+i == size-1 {
				proof, err := tlog.ProveRecord(size, at+i, reader)
				check(err)
				check(tlog.CheckRecord(proof, size, tree.Hash, at+i, leaf))
			}
		}
		if len(data) != 0 {
			check(fmt.Errorf("bundle %d has more", at/256))
		}
	}
	proof, err := tlog.ProveTree(size, oldSize, reader)
	check(err)
	check(tlog.CheckTree(proof, size, tree.Hash, oldSize, hash(os.Args[4])))
	fmt.Printf("agreed: %d entries, %d of %d signatures known\n", size, len(signed.Sigs),
		len(signed.Sigs)+len(signed.UnverifiedSigs))
}
