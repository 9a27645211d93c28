export function startMock(port?: number): Promise<{
  origin: string;
  seen: { method: string; path: string; body: string }[];
  close: () => Promise<unknown>;
}>;
