// What the programs of this folder serve and call.

struct Item {
  1: string name
  2: i64 price
  3: list<string> tags
  4: map<string, i32> stock
  5: bool sold
}

exception Missing {
  1: i32 code
  2: string reason
}

service Shop {
  Item find(1: string name) throws (1: Missing missing)
  i64 total(1: list<Item> items)
  binary big(1: i32 size)
  void ping()
  oneway void note(1: string text)
  string crash(1: string text)
}

// A client may know methods that the server does not.
service LargerShop extends Shop {
  void unknown()
}
