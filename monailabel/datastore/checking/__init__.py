"""What a check looks at: a room for each part of a datastore, each giving its findings one by one."""
